//! Batches: a commit is in the trace of each sampled write of its batch, and of no other.

use std::thread;

use testkit::http::user_path;
use testkit::parts::Parts;
use testkit::service::Service;

use crate::collector::{Collector, Mood, attribute};
use crate::site::{combinations, put, send, spans_of_write, start, trace_id, traceparent, user};

const CLIENTS: u32 = 8;
const WRITES: u32 = 25;

/// Half of the writes are sampled, a quarter of these of names that others write, too.
#[test]
#[ignore = "needs servers"]
fn every_sampled_write_of_a_batch_has_its_commit() {
    for (service, parts) in combinations() {
        let collector = Collector::start(Mood::Takes);
        let running = start((service, parts), &collector.url(), &[]);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|of_client| {
                let client = running.client();
                thread::spawn(move || {
                    for number in 0..WRITES {
                        let unique = of_client * WRITES + number;
                        let name = match number % 8 {
                            0 => "shared".to_owned(),
                            _ => format!("user {unique}"),
                        };
                        match number % 2 {
                            0 => put(&client, &name, &trace_id(unique)),
                            _ => {
                                let parent = traceparent(&trace_id(unique), "00");
                                let body = user(&name);
                                let path = user_path(&name);
                                send(&client, ("PUT", &path), &parent, Some(&body));
                            }
                        }
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        for unique in 0..CLIENTS * WRITES {
            let trace = trace_id(unique);
            match (unique % WRITES) % 2 {
                0 => {
                    let spans = collector.wait_for(&trace, spans_of_write(service));
                    assert_eq!(spans.len(), spans_of_write(service).len(), "{spans:?}");
                }
                _ => assert!(collector.trace(&trace).is_empty(), "{trace}"),
            }
        }
    }
}

/// The database is unavailable while the journal takes the writes.
#[test]
#[ignore = "needs servers"]
fn writes_that_waited_have_the_commit_that_made_them_durable() {
    let collector = Collector::start(Mood::Takes);
    let mut installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    installation.set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
    installation.set(crate::site::AT_ONCE.0, crate::site::AT_ONCE.1);
    let proxy = installation.proxy_before("DATABASE_URL");
    let running = installation.run();
    let client = running.client();
    put(&client, "first", &trace_id(0));
    collector.wait_for(&trace_id(0), &["apply"]);
    proxy.cut();
    for number in 1..=3 {
        put(&client, "same", &trace_id(number));
        collector.wait_for(&trace_id(number), &["append"]);
    }
    assert_eq!(collector.trace(&trace_id(1)).len(), 2);
    proxy.restore();
    let superseded = |number| {
        let spans = collector.wait_for(&trace_id(number), &["apply"]);
        let apply = spans.iter().find(|span| span.name == "apply").unwrap();
        attribute(&apply.attributes, "write_cache.superseded").is_some()
    };
    assert_eq!([1, 2, 3].map(superseded), [true, true, false]);
}
