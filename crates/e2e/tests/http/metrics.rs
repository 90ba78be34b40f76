//! `/metrics`: every request is counted once, and the figures are those of what has happened.

use serde_json::json;
use testkit::parts::Parts;

use crate::api::{Api, encoded, record};
use crate::combination::Turn;
use crate::prometheus::Metrics;

checks!(metrics:
    the_answer_is_prometheus_text_and_has_every_documented_metric,
    each_request_is_counted_once_by_route_method_and_status,
    reads_are_counted_as_hits_and_misses,
    what_is_drained_is_counted,
    what_reaches_the_database_is_counted,
    times_are_told_apart_by_thirds,
    a_clients_inventions_become_no_label,
);

pub(crate) fn metrics_of(api: &Api) -> Metrics {
    let answer = api.client().get("/metrics");
    assert_eq!(answer.status, 200);
    let content_type = answer.header("Content-Type").unwrap();
    assert!(
        content_type.starts_with("text/plain; version=0.0.4"),
        "{content_type}"
    );
    Metrics::parse(answer.text())
}

pub(crate) fn the_answer_is_prometheus_text_and_has_every_documented_metric(turn: &Turn) {
    let api = turn.shared();
    api.must_write(&record(
        &crate::combination::own_name("metrics"),
        30,
        "Engineer",
    ));
    api.settle();
    // The one before counts itself.
    metrics_of(&api);
    let metrics = metrics_of(&api);
    let mut documented = vec![
        ("write_cache_http_requests_total", "counter"),
        ("write_cache_http_request_duration_seconds", "histogram"),
        ("write_cache_cache_reads_total", "counter"),
        ("write_cache_store_statements_total", "counter"),
        ("write_cache_store_rows_sent_total", "counter"),
        ("write_cache_store_rows_committed_total", "counter"),
        ("write_cache_up", "gauge"),
        ("write_cache_up_changed_timestamp_seconds", "gauge"),
        ("write_cache_calls_in_flight", "gauge"),
        ("write_cache_http_requests_in_flight", "gauge"),
        ("write_cache_http_oldest_request_age_seconds", "gauge"),
        ("write_cache_database_connections", "gauge"),
        ("write_cache_database_connections_max", "gauge"),
        ("write_cache_database_calls_waiting", "gauge"),
        ("process_cpu_seconds_total", "counter"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_open_fds", "gauge"),
        ("process_max_fds", "gauge"),
        ("process_start_time_seconds", "gauge"),
        ("write_cache_store_commits_total", "counter"),
        ("write_cache_broken_rows_total", "counter"),
        ("write_cache_build_info", "gauge"),
    ];
    if turn.is_write_behind() {
        documented.extend([
            ("write_cache_journal_depth_entries", "gauge"),
            ("write_cache_journal_depth_bytes", "gauge"),
            ("write_cache_journal_oldest_age_seconds", "gauge"),
            ("write_cache_drain_entries_total", "counter"),
            ("write_cache_drain_rows_total", "counter"),
            ("write_cache_drain_batches_total", "counter"),
            ("write_cache_commit_lag_seconds", "histogram"),
        ]);
    }
    for (name, kind) in documented {
        assert_eq!(metrics.kind(name), Some(kind), "{name}");
    }
    if turn.is_write_behind() {
        // The defaults.
        let bytes = match turn.parts() {
            Parts::Embedded => 128_000_000.0,
            Parts::RedisMariaDb => 4_000_000_000.0,
        };
        for (name, limit) in [
            ("write_cache_journal_limit_entries", 10_000_000.0),
            ("write_cache_journal_limit_bytes", bytes),
            ("write_cache_journal_limit_age_seconds", 86_400.0),
        ] {
            assert_eq!(metrics.sum(name, &[]), limit, "{name}");
        }
    }
    let own = turn.service().write_path().trim_start_matches('/');
    let services = metrics.label_values("write_cache_http_requests_total", "service");
    assert_eq!(Vec::from_iter(services), [own]);
}

pub(crate) fn each_request_is_counted_once_by_route_method_and_status(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    let before = metrics_of(&api);
    let user = record("counted", 30, "Engineer");
    for _ in 0..7 {
        api.must_write(&user);
    }
    for _ in 0..5 {
        api.must_get("counted");
    }
    for name in ["counted", "another", "counted"] {
        api.read(name);
    }
    api.get("missing");
    api.get("missing too");
    api.put("counted", &json!({ "age": 200 }));
    api.put("counted", &json!({ "age": 20, "occupation": "x" }));
    api.delete("counted");
    api.delete("counted");
    api.wire("HEAD", "/users/counted", &[], None);
    api.wire("PATCH", "/users/counted", &[], None);
    api.wire("POST", "/users", &[], None);
    api.client().get("/users?limit=1");
    api.client().get("/users?limit=0");
    api.client().get("/healthz");
    api.client().get("/readyz");
    for path in ["/nowhere", "/nowhere/either", "/users/a/b"] {
        api.client().get(path);
    }
    let after = metrics_of(&api);

    let service = turn.service();
    let expected = [
        (service.write_path(), "POST", "200", 7),
        (service.read_path(), "POST", "200", 2),
        (service.read_path(), "POST", "404", 1),
        ("/users/{name}", "GET", "200", 5),
        ("/users/{name}", "GET", "404", 2),
        ("/users/{name}", "PUT", "422", 1),
        ("/users/{name}", "PUT", "200", 1),
        ("/users/{name}", "DELETE", "204", 1),
        ("/users/{name}", "DELETE", "404", 1),
        ("/users/{name}", "HEAD", "404", 1),
        ("/users/{name}", "other", "405", 1),
        ("/users", "POST", "405", 1),
        ("/users", "GET", "200", 1),
        ("/users", "GET", "422", 1),
        ("/healthz", "GET", "200", 1),
        ("/readyz", "GET", "200", 1),
        ("/metrics", "GET", "200", 1),
        ("unknown", "GET", "404", 3),
    ];
    let mut all = 0;
    for (route, method, status, count) in expected {
        let labels = [("route", route), ("method", method), ("status", status)];
        let grown = after.sum("write_cache_http_requests_total", &labels)
            - before.sum("write_cache_http_requests_total", &labels);
        assert_eq!(grown, f64::from(count), "{labels:?}");
        all += count;
    }
    for name in [
        "write_cache_http_requests_total",
        "write_cache_http_request_duration_seconds_count",
    ] {
        let grown = after.sum(name, &[]) - before.sum(name, &[]);
        assert_eq!(grown, f64::from(all), "{name}");
    }
    let seconds = after.sum("write_cache_http_request_duration_seconds_sum", &[]);
    assert!(seconds > 0.0 && seconds < 60.0, "{seconds}");
}

pub(crate) fn reads_are_counted_as_hits_and_misses(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    let reads = |metrics: &Metrics, outcome| {
        metrics.sum("write_cache_cache_reads_total", &[("outcome", outcome)])
    };
    let before = metrics_of(&api);
    for outcome in ["hit", "miss", "bypass"] {
        assert_eq!(reads(&before, outcome), 0.0, "{outcome}");
    }
    api.must_write(&record("read", 30, "Engineer"));
    for _ in 0..6 {
        api.must_get("read");
    }
    for name in ["missing", "missing", "missing too"] {
        api.get(name);
    }
    // None of these reads.
    api.get(" ");
    api.client().get("/users");
    api.client().get("/nowhere");
    let after = metrics_of(&api);
    assert_eq!(reads(&after, "hit"), 7.0);
    assert_eq!(reads(&after, "miss"), 2.0);
    assert_eq!(reads(&after, "bypass"), 0.0);
}

pub(crate) fn what_is_drained_is_counted(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    if !turn.is_write_behind() {
        let metrics = metrics_of(&api);
        assert_eq!(metrics.kind("write_cache_journal_depth_entries"), None);
        assert_eq!(metrics.kind("write_cache_drain_entries_total"), None);
        assert_eq!(metrics.kind("write_cache_commit_lag_seconds"), None);
        return;
    }
    let before = metrics_of(&api);
    for name in [
        "write_cache_drain_entries_total",
        "write_cache_drain_rows_total",
        "write_cache_drain_batches_total",
        "write_cache_commit_lag_seconds_count",
    ] {
        assert_eq!(before.sum(name, &[]), 0.0, "{name}");
    }
    for number in 0..40 {
        api.must_write(&record(
            &format!("drained {}", number % 10),
            number,
            "Engineer",
        ));
    }
    assert_eq!(api.delete("drained 3").status, 204);
    api.settle();
    let after = metrics_of(&api);
    assert_eq!(after.sum("write_cache_drain_entries_total", &[]), 41.0);
    assert_eq!(after.sum("write_cache_commit_lag_seconds_count", &[]), 41.0);
    assert!(after.sum("write_cache_commit_lag_seconds_sum", &[]) > 0.0);
    let rows = after.sum("write_cache_drain_rows_total", &[]);
    assert!((10.0..=41.0).contains(&rows), "{rows}");
    let batches = after.sum("write_cache_drain_batches_total", &[]);
    assert!((1.0..=41.0).contains(&batches), "{batches}");
    for name in [
        "write_cache_journal_depth_entries",
        "write_cache_journal_depth_bytes",
        "write_cache_journal_oldest_age_seconds",
    ] {
        assert_eq!(after.sum(name, &[]), 0.0, "{name}");
    }
}

pub(crate) fn what_reaches_the_database_is_counted(turn: &Turn) {
    const TO_ONE_NAME: u8 = 30;
    const NAMES: u8 = 20;
    let running = turn.start();
    let api = Api::of(&running);
    let before = metrics_of(&api);
    let kinds = before.label_values("write_cache_store_statements_total", "kind");
    assert_eq!(Vec::from_iter(kinds), ["read", "write"]);
    let statements = |metrics: &Metrics, kind| {
        metrics.sum("write_cache_store_statements_total", &[("kind", kind)])
    };
    for figure in [
        statements(&before, "write"),
        before.sum("write_cache_store_rows_sent_total", &[]),
        before.sum("write_cache_store_commits_total", &[]),
    ] {
        assert_eq!(figure, 0.0);
    }

    for age in 0..TO_ONE_NAME {
        api.must_write(&record("often", age, "Engineer"));
    }
    for number in 0..NAMES {
        api.must_write(&record(&format!("once {number}"), 30, "Engineer"));
    }
    assert_eq!(api.delete("once 3").status, 204);
    api.settle();
    let after = metrics_of(&api);
    let acknowledged = f64::from(TO_ONE_NAME + NAMES + 1);
    let distinct = f64::from(1 + NAMES);
    let rows = after.sum("write_cache_store_rows_sent_total", &[]);
    let commits = after.sum("write_cache_store_commits_total", &[]);
    let committed = after.sum("write_cache_store_rows_committed_total", &[]);
    assert!((commits..=rows).contains(&committed), "{committed}");
    let drained = after.sum("write_cache_drain_rows_total", &[]);
    if turn.is_write_behind() {
        assert!((distinct..=acknowledged).contains(&drained), "{drained}");
        assert!((1.0..=rows).contains(&commits), "{commits}");
        assert_eq!(
            after.sum("write_cache_commit_lag_seconds_count", &[]),
            acknowledged
        );
    } else {
        // One came after the other, and each was committed before it was answered.
        assert!(commits >= acknowledged, "{commits}");
    }
    let sent_once = if turn.is_write_behind() {
        drained
    } else {
        acknowledged
    };
    match turn.parts() {
        Parts::Embedded => assert_eq!(rows, sent_once),
        // What meets a deadlock or finds its connection closed is sent again.
        Parts::RedisMariaDb => assert!(rows >= sent_once, "{rows}"),
    }
    assert!(statements(&after, "write") >= commits);

    let reads = statements(&after, "read");
    assert_eq!(api.client().get("/users").status, 200);
    for path in ["/readyz", "/readyz", "/healthz"] {
        assert_eq!(api.client().get(path).status, 200);
    }
    assert_eq!(statements(&metrics_of(&api), "read"), reads + 1.0);
}

pub(crate) fn times_are_told_apart_by_thirds(turn: &Turn) {
    let api = turn.shared();
    api.client().get("/healthz");
    let metrics = metrics_of(&api);
    let mut expected = vec![("write_cache_http_request_duration_seconds", 0.0001, 10.0, 5)];
    if turn.is_write_behind() {
        expected.push(("write_cache_drain_batch_duration_seconds", 0.0001, 10.0, 5));
        expected.push(("write_cache_commit_lag_seconds", 0.001, 1000.0, 6));
    }
    for (name, first, last, decades) in expected {
        let bounds = metrics.label_values(&format!("{name}_bucket"), "le");
        let bounds = bounds.iter().map(|bound| bound.parse().unwrap());
        let mut bounds: Vec<f64> = bounds.collect();
        bounds.sort_by(f64::total_cmp);
        assert_eq!(bounds.pop(), Some(f64::INFINITY), "{name}");
        assert_eq!(bounds.first(), Some(&first), "{name}");
        assert_eq!(bounds.last(), Some(&last), "{name}");
        assert_eq!(bounds.len(), 6 * decades + 1, "{name}");
        for pair in bounds.windows(2) {
            assert!(pair[1] / pair[0] < 1.7, "{name}: {pair:?}");
        }
    }
}

pub(crate) fn a_clients_inventions_become_no_label(turn: &Turn) {
    let api = turn.shared();
    let name = crate::combination::own_name("label");
    for invention in ["BREW", "propfind", "X-METHOD"] {
        api.wire(invention, &format!("/users/{}", encoded(&name)), &[], None);
        api.wire(invention, &format!("/{invention}/secret"), &[], None);
    }
    let metrics = metrics_of(&api);
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "other"];
    for method in metrics.label_values("write_cache_http_requests_total", "method") {
        assert!(known.contains(&method), "{method}");
    }
    for route in metrics.label_values("write_cache_http_requests_total", "route") {
        assert!(
            !route.contains("secret") && !route.contains("label"),
            "{route}"
        );
    }
}
