//! `/metrics` as Prometheus scrapes it: compressed, documented, and with what the process is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use testkit::parts::Parts;

use crate::api::{Api, record};
use crate::combination::Turn;
use crate::metrics::metrics_of;
use crate::prometheus::Metrics;

checks!(scrape:
    every_metric_is_documented_with_its_type_and_labels,
    a_client_that_takes_gzip_is_given_it,
    the_process_and_its_connections_are_measured,
    parts_are_up_since_the_start,
);

/// What docs/metrics.md says of each metric: its type and its labels.
fn documented() -> BTreeMap<&'static str, (&'static str, BTreeSet<&'static str>)> {
    let page = include_str!("../../../../docs/metrics.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[3].split(", ").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_matches('`')).collect();
        (cells[1].trim_matches('`'), (cells[2], labels))
    })
    .collect()
}

pub(crate) fn every_metric_is_documented_with_its_type_and_labels(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    for age in [30, 31] {
        api.must_write(&record("documented", age, "Engineer"));
        api.must_get("documented");
    }
    api.put("documented", &json!({ "age": 200 }));
    api.delete("documented");
    api.get("documented");
    api.settle();
    metrics_of(&api);
    let metrics = metrics_of(&api);
    let documented = documented();
    assert!(documented.len() > 40, "{documented:?}");
    for (name, kind) in metrics.kinds() {
        let Some((documented_kind, documented_labels)) = documented.get(name.as_str()) else {
            panic!("{name} is not in docs/metrics.md");
        };
        assert_eq!(documented_kind, kind, "{name}");
        let mut labels = metrics.labels(name);
        assert!(labels.remove("service"), "{name}");
        labels.remove("le");
        assert_eq!(labels, *documented_labels, "{name}");
    }
    let queues = metrics.label_values("write_cache_group_commit_batch_size_count", "queue");
    let expected: &[&str] = match (turn.is_write_behind(), turn.parts()) {
        (true, Parts::Embedded) => &["journal", "loads", "workers"],
        (true, Parts::RedisMariaDb) => &["journal", "loads", "reads"],
        (false, Parts::Embedded) => &["loads", "write-through"],
        (false, Parts::RedisMariaDb) => &["loads", "reads", "write-through"],
    };
    assert_eq!(Vec::from_iter(queues), expected);
}

pub(crate) fn a_client_that_takes_gzip_is_given_it(turn: &Turn) {
    let api = turn.shared();
    let get = |accepted: &str| {
        let accepted = [("Accept-Encoding", accepted)];
        let answer = api.wire("GET", "/metrics", &accepted, None);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("Vary"), Some("Accept-Encoding"));
        answer
    };
    let plain = get("identity");
    assert_eq!(plain.header("Content-Encoding"), None);
    for accepted in ["gzip", "br;q=1.0, gzip;q=0.8, *;q=0.1"] {
        let answer = get(accepted);
        assert_eq!(answer.header("Content-Encoding"), Some("gzip"));
        assert!(answer.body.len() * 4 < plain.body.len());
        let mut text = String::new();
        let mut decoder = flate2::read::GzDecoder::new(answer.body.as_slice());
        decoder.read_to_string(&mut text).unwrap();
        assert!(!Metrics::parse(&text).kinds().is_empty());
    }
    for refused in ["gzip;q=0", "br", ""] {
        assert_eq!(get(refused).header("Content-Encoding"), None, "{refused:?}");
    }
    let head = [("Accept-Encoding", "gzip")];
    let head = api.wire("HEAD", "/metrics", &head, None);
    assert_eq!(head.header("Content-Encoding"), Some("gzip"));
    assert!(head.body.is_empty());
    // Only there: a write's answer is as it was.
    let record = record(&crate::combination::own_name("plain"), 30, "Engineer");
    let written = api.client().request(
        "POST",
        turn.service().write_path(),
        &[
            ("Accept-Encoding", "gzip"),
            ("Content-Type", "application/json"),
        ],
        Some(record.to_string().as_bytes()),
    );
    assert_eq!(
        (written.status, written.header("Content-Encoding")),
        (200, None)
    );
}

pub(crate) fn the_process_and_its_connections_are_measured(turn: &Turn) {
    let started_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let running = turn.start();
    let api = Api::of(&running);
    api.must_write(&record("measured", 30, "Engineer"));
    api.settle();
    let metrics = metrics_of(&api);
    let start_s = metrics.sum("process_start_time_seconds", &[]);
    // By the clock of the kernel, which counts from its start.
    assert!(
        (start_s - started_s.as_secs_f64()).abs() < 60.0,
        "{start_s}"
    );
    let resident = metrics.sum("process_resident_memory_bytes", &[]);
    assert!(resident > 1e6, "{resident}");
    let (open, max) = (
        metrics.sum("process_open_fds", &[]),
        metrics.sum("process_max_fds", &[]),
    );
    assert!(open > 3.0 && open < max, "{open} {max}");
    let of_state = |state| metrics.sum("write_cache_database_connections", &[("state", state)]);
    let connections = of_state("idle") + of_state("used");
    let most = metrics.sum("write_cache_database_connections_max", &[]);
    assert!((1.0..=most).contains(&connections), "{connections} {most}");
    let redis = metrics.sum("write_cache_redis_connections", &[]);
    let opened = metrics.sum("write_cache_redis_connections_opened_total", &[]);
    match turn.parts() {
        Parts::Embedded => assert_eq!((redis, opened), (0.0, 0.0)),
        Parts::RedisMariaDb => assert!((1.0..=opened).contains(&redis), "{redis} {opened}"),
    }
}

pub(crate) fn parts_are_up_since_the_start(turn: &Turn) {
    let started_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let running = turn.start();
    let api = Api::of(&running);
    let metrics = metrics_of(&api);
    let parts = metrics.label_values("write_cache_up", "part");
    let expected: &[&str] = match turn.is_write_behind() {
        true => &["cache", "database", "journal"],
        false => &["cache", "database"],
    };
    assert_eq!(Vec::from_iter(parts), expected);
    for part in expected {
        let labels = [("part", *part)];
        assert_eq!(metrics.sum("write_cache_up", &labels), 1.0, "{part}");
        let since_s = metrics.sum("write_cache_up_changed_timestamp_seconds", &labels);
        assert!(since_s >= started_s.as_secs_f64(), "{part}: {since_s}");
    }
    assert_eq!(metrics.sum("write_cache_http_requests_in_flight", &[]), 0.0);
    let oldest_s = metrics.sum("write_cache_http_oldest_request_age_seconds", &[]);
    assert_eq!(oldest_s, 0.0);
}
