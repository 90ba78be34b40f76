//! Several writers of one name at the same time: puts, deletes and puts again, in no agreed order.

use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use serde_json::Value;
use testkit::http::{Client, user_path};
use testkit::parts::{Parts, RunningService};
use testkit::service::Service;

use crate::cached::Entry;
use crate::comparison::flush;
use crate::seed::Seed;
use crate::writers::{number_of, record, version_of};
use crate::{cached, stored};

const NAMES: usize = 3;
const THREADS: u64 = 6;
const WRITES_OF_EACH: u64 = 120;

/// A write that was acknowledged.
#[derive(Debug)]
struct Done {
    /// What it has put; `None` for a delete.
    number: Option<u64>,
    version: u64,
    began: Instant,
    ended: Instant,
}

fn write(client: &Client, name: &str, number: u64, is_delete: bool) -> Option<Done> {
    let began = Instant::now();
    let answer = match is_delete {
        true => client.delete(&user_path(name)),
        false => client.put_json(&user_path(name), &record(name, number)),
    };
    let ended = Instant::now();
    match (answer.status, is_delete) {
        (200, false) | (204, true) => Some(Done {
            number: (!is_delete).then_some(number),
            version: version_of(&answer).expect("a version"),
            began,
            ended,
        }),
        // Another client was first.
        (404, true) => None,
        // A delete does not wait for ever for the others to pause.
        (503, true) => None,
        (status, _) => panic!("{status}: {}", answer.text()),
    }
}

/// A write that ended before another began has the smaller version, and the largest version is the
/// last word.
fn last_word(done: &mut [Done]) -> &Done {
    done.sort_by_key(|done| done.version);
    let mut newest_begin: Option<Instant> = None;
    for pair in done.windows(2) {
        assert!(pair[0].version < pair[1].version, "{pair:?}");
    }
    for later in done.iter() {
        assert!(
            newest_begin.is_none_or(|began| later.ended > began),
            "{later:?}"
        );
        newest_begin = newest_begin.max(Some(later.began));
    }
    done.last().expect("a write that was acknowledged")
}

fn expect_everywhere(running: &RunningService, name: &str, last: &Done) {
    let client = running.client();
    for attempt in 0..2 {
        let answer = client.get(&user_path(name));
        match last.number {
            Some(number) => {
                assert_eq!(number_of(name, &answer.json()), Some(number), "{name}");
                assert_eq!(version_of(&answer), Some(last.version));
            }
            None => assert_eq!(answer.status, 404, "{name}: {}", answer.text()),
        }
        let status = answer.header("Cache-Status").expect("a Cache-Status");
        assert!(attempt == 0 || status.ends_with("; hit"), "{status}");
    }
    let Some(database) = running.database() else {
        let row = stored::pages(&client).get(name).copied();
        assert_eq!(row.and_then(|row| row.number), last.number, "{name}");
        return;
    };
    let row = stored::rows(database)[name];
    assert_eq!((row.number, row.version), (last.number, Some(last.version)));
    let redis = running.installation().setting("CACHE_URL").unwrap();
    let Entry::Held(entry) = cached::entries(redis, database)[name] else {
        panic!("{name} is being filled");
    };
    assert_eq!((entry.number, entry.version), (last.number, last.version));
    assert!(entry.is_clean, "{entry:?}");
}

fn storm(parts: Parts) {
    let seed = Seed::of_this_run();
    let mut running = parts.start(Service::WriteBehind);
    let names: Vec<String> = (0..NAMES).map(|number| format!("storm {number}")).collect();
    let done: Vec<Mutex<Vec<Done>>> = names.iter().map(|_| Mutex::default()).collect();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (client, names, done) = (running.client(), &names, &done);
            scope.spawn(move || {
                let mut choices = seed.choices(thread);
                for number in 0..WRITES_OF_EACH {
                    let name = choices.usize(..NAMES);
                    let number = number * THREADS + thread;
                    let written = write(&client, &names[name], number, choices.u8(..10) < 4);
                    done[name].lock().unwrap().extend(written);
                }
            });
        }
    });
    flush(running.base_url());
    // The last name's last word is a delete in any case.
    let client = running.client();
    let deleted = &names[NAMES - 1];
    let written = write(&client, deleted, 0, false);
    let gone = write(&client, deleted, 0, true);
    done[NAMES - 1]
        .lock()
        .unwrap()
        .extend(written.into_iter().chain(gone));
    flush(running.base_url());

    for is_again in [false, true] {
        for (name, done) in names.iter().zip(&done) {
            let mut done = done.lock().unwrap();
            let last = last_word(&mut done);
            assert!(name != deleted || last.number.is_none());
            expect_everywhere(&running, name, last);
        }
        if !is_again {
            running.crash_and_restart();
        }
    }
    let page: Value = running.client().get("/users?limit=1000").json();
    let found = |user: &Value| user["name"] == deleted.as_str();
    assert!(!page["users"].as_array().unwrap().iter().any(found));
}

#[test]
fn writers_of_one_name_at_the_same_time_end_in_one_state_on_embedded_parts() {
    storm(Parts::Embedded);
}

#[test]
#[ignore = "needs servers"]
fn writers_of_one_name_at_the_same_time_end_in_one_state_on_redis_and_mariadb() {
    storm(Parts::RedisMariaDb);
}
