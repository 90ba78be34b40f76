use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn snapshot(text: &str) -> Snapshot {
    Snapshot::parse(text).unwrap()
}

/// Writes by `POST /write-behind` of which so many took at most 1, 10 and any number of milliseconds.
fn writes(within_1_ms: u32, within_10_ms: u32, all: u32) -> String {
    let labels = "service=\"write-behind\",route=\"/write-behind\",method=\"POST\"";
    let counts = [
        ("0.001", within_1_ms),
        ("0.01", within_10_ms),
        ("+Inf", all),
    ];
    let durations = counts.map(|(le, count)| duration("answered", le, count));
    [
        durations.concat(),
        format!("write_cache_http_requests_total{{{labels},status=\"200\"}} {all}\n"),
    ]
    .concat()
}

/// A bucket of the durations of writes.
fn duration(outcome: &str, le: &str, count: u32) -> String {
    let labels = format!("route=\"/write-behind\",method=\"POST\",outcome=\"{outcome}\"");
    format!("write_cache_http_request_duration_seconds_bucket{{{labels},le=\"{le}\"}} {count}\n")
}

#[track_caller]
fn assert_ms(found: Option<f64>, expected: f64) {
    let near = found.is_some_and(|found| (found - expected).abs() < 1e-9);
    assert!(near, "{found:?}, not {expected}");
}

#[test]
fn quantiles_are_interpolated_within_the_bucket_that_they_are_in() {
    // 100 values: 50 from 0 to 1, 40 from 1 to 5, 10 above.
    let buckets = Buckets::new([(5.0, 90.0), (1.0, 50.0), (f64::INFINITY, 100.0)], 250.0);
    for (share, expected) in [
        (0.0, 0.0),
        (0.25, 0.5),
        (0.5, 1.0),
        (0.7, 3.0),
        (0.9, 5.0),
        (0.99, 5.0),
    ] {
        assert_eq!(buckets.quantile(share), Some(expected), "{share}");
    }
    assert_eq!((buckets.count(), buckets.mean()), (100.0, Some(2.5)));
    let none = Buckets::new([(1.0, 0.0), (f64::INFINITY, 0.0)], 0.0);
    assert_eq!((none.quantile(0.5), none.mean()), (None, None));
    assert_eq!(Buckets::default().quantile(0.5), None);
}

#[test]
fn a_quantile_skips_buckets_that_nothing_came_into() {
    let buckets = Buckets::new([(1.0, 0.0), (2.0, 0.0), (4.0, 2.0), (8.0, 2.0)], 6.0);
    assert_eq!(buckets.quantile(0.0), Some(2.0));
    assert_eq!(buckets.quantile(0.5), Some(3.0));
    assert_eq!(buckets.quantile(1.0), Some(4.0));
}

#[test]
fn figures_are_of_the_time_between_two_readings_alone() {
    let before = snapshot(&writes(1000, 1000, 1000));
    let after = snapshot(&writes(1000, 1010, 1010));
    let figures = Figures::between(&before, &after, 2 * SECOND);
    assert_eq!(figures.requests_per_second.write, 5.0);
    assert_ms(figures.writes.p50_ms, 5.5);
    assert_eq!(figures.reads, Latencies::default());
    assert!(!figures.restarted);

    let nothing = Figures::between(&after, &after, SECOND);
    assert_eq!(nothing.requests_per_second, RequestRates::default());
    assert_eq!(nothing.writes, Latencies::default());
}

#[test]
fn requests_are_told_apart_by_what_they_do_and_whether_they_failed() {
    let line = |route: &str, method: &str, status: u16, count: u32| {
        format!(
            "write_cache_http_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}} {count}\n"
        )
    };
    let batch_lines = |kind: &str, status: u16, count: u32| {
        format!("write_cache_batch_lines_total{{kind=\"{kind}\",status=\"{status}\"}} {count}\n")
    };
    let after = [
        line("/write-through", "POST", 200, 10),
        line("/write-through", "POST", 503, 3),
        line("/users/{name}", "PUT", 200, 5),
        line("/users/{name}", "GET", 200, 20),
        line("/users/{name}", "GET", 404, 1),
        line("/users/{name}", "GET", 500, 2),
        line("/users/{name}", "DELETE", 204, 4),
        line("/metrics", "GET", 200, 1000),
        line("/users/batch", "POST", 200, 1000),
        batch_lines("put", 200, 100),
        batch_lines("put", 503, 7),
        batch_lines("delete", 204, 30),
        batch_lines("delete", 404, 1),
        batch_lines("none", 422, 1000),
    ];
    let figures = Figures::between(&Snapshot::default(), &snapshot(&after.concat()), SECOND);
    let expected = RequestRates {
        write: 115.0,
        read: 21.0,
        delete: 35.0,
        failed: 12.0,
    };
    assert_eq!(figures.requests_per_second, expected);
}

#[test]
fn failed_requests_are_no_part_of_the_latencies() {
    // Reads are refused at once while their part is unavailable: they must not look fast.
    let text = [
        duration("failed", "0.001", 90),
        duration("failed", "0.01", 90),
        duration("failed", "+Inf", 90),
        duration("answered", "0.001", 0),
        duration("answered", "0.01", 10),
        duration("answered", "+Inf", 10),
    ];
    let figures = Figures::between(&Snapshot::default(), &snapshot(&text.concat()), SECOND);
    assert_ms(figures.writes.p50_ms, 5.5);
    assert_ms(figures.failures.p50_ms, 0.5);
}

#[test]
fn the_nearest_limit_says_how_full_the_journal_is() {
    let text = |entries: u32, bytes: u32, age: &str| {
        format!(
            "write_cache_journal_depth_entries{{shard=\"0\"}} {entries}\n\
             write_cache_journal_limit_entries 100\n\
             write_cache_journal_depth_bytes{{shard=\"0\"}} {bytes}\n\
             write_cache_journal_limit_bytes 1000\n\
             write_cache_journal_oldest_age_seconds {age}\n\
             write_cache_journal_limit_age_seconds 60\n"
        )
    };
    let fullness = |text: &str| fullness(&snapshot(text));
    assert_eq!(fullness(""), None);
    assert_eq!(fullness(&text(50, 100, "6")), Some(0.5));
    assert_eq!(fullness(&text(10, 900, "6")), Some(0.9));
    assert_eq!(fullness(&text(10, 100, "45")), Some(0.75));
    let held_back = "write_cache_journal_held_back_entries{shard=\"0\"} 40\n";
    assert_eq!(fullness(&(text(50, 100, "6") + held_back)), Some(0.9));
    // While the journal does not answer, its age is unknown.
    assert_eq!(fullness(&text(10, 200, "NaN")), Some(0.2));
}

#[test]
fn the_parts_are_those_that_the_metrics_have() {
    let figures = snapshot(
        "write_cache_up{part=\"database\"} 0\nwrite_cache_up{part=\"cache\"} 1\n\
         write_cache_up_changed_timestamp_seconds{part=\"database\"} 1700000000.5\n\
         write_cache_calls_in_flight{part=\"database\"} 3\n",
    );
    let [cache, database] = &parts::of(&figures)[..] else {
        panic!("{:?}", parts::of(&figures));
    };
    assert_eq!(
        (cache.part, cache.up, cache.since_ms),
        ("cache", true, None)
    );
    let expected = PartFigures {
        part: "database",
        since_ms: Some(1_700_000_000_500.0),
        calls_in_flight: 3.0,
        ..PartFigures::default()
    };
    assert_eq!(*database, expected);
}

#[test]
fn a_restarted_service_gives_what_it_has_counted_since() {
    let before = snapshot(&writes(1_000_000, 1_000_000, 1_000_000));
    let after = snapshot(&writes(0, 30, 30));
    let figures = Figures::between(&before, &after, SECOND);
    assert!(figures.restarted);
    assert_eq!(figures.requests_per_second.write, 30.0);
    assert_ms(figures.writes.p50_ms, 5.5);

    // Also where nothing has been counted yet, so that the series are not there.
    let figures = Figures::between(&before, &snapshot(""), SECOND);
    assert!(figures.restarted);
    assert_eq!(figures.requests_per_second, RequestRates::default());

    let anew = Buckets::new([(1.0, 2.0)], 1.0);
    assert_eq!(anew.since(&Buckets::new([(1.0, 9.0)], 3.0)), anew);
}

#[test]
fn what_is_absent_is_none_and_shards_are_added_up() {
    let without = Figures::between(
        &snapshot(""),
        &snapshot("write_cache_cache_bypassed 0\n"),
        SECOND,
    );
    assert_eq!(without, Figures::default());

    let before = snapshot(
        "write_cache_store_rows_committed_total{k=\"a\"} 5\nwrite_cache_store_rows_committed_total{k=\"b\"} 5\nwrite_cache_store_commits_total 1\n",
    );
    let after = snapshot(
        "write_cache_journal_depth_entries{shard=\"0\"} 3\nwrite_cache_journal_depth_entries{shard=\"1\"} 4\n\
         write_cache_journal_dead_letters{shard=\"0\"} 1\nwrite_cache_journal_oldest_age_seconds 1.5\n\
         write_cache_store_rows_committed_total{k=\"a\"} 8\nwrite_cache_store_rows_committed_total{k=\"b\"} 9\nwrite_cache_store_commits_total 3\n\
         write_cache_drain_entries_total 40\nwrite_cache_cache_bypassed 1\n\
         write_cache_cache_reads_total{outcome=\"hit\"} 3\nwrite_cache_cache_reads_total{outcome=\"miss\"} 1\n\
         write_cache_build_info{version=\"0.1.0\"} 1\n",
    );
    let figures = Figures::between(&before, &after, 2 * SECOND);
    assert_eq!(figures.journal_depth_entries, Some(7.0));
    assert_eq!(figures.dead_letters, Some(1.0));
    assert_eq!(figures.journal_oldest_age_s, Some(1.5));
    assert_eq!(figures.database_rows_per_second, Some(3.5));
    assert_eq!(figures.database_commits_per_second, Some(1.0));
    assert_eq!(figures.drained_per_second, Some(20.0));
    assert_eq!(figures.cache_hit_share, Some(0.75));
    assert_eq!(figures.version.as_deref(), Some("0.1.0"));
    assert!(figures.bypassed);
    assert_eq!(
        after.sum("write_cache_store_rows_committed_total", &[("k", "b")]),
        9.0
    );

    let silent = snapshot("write_cache_journal_oldest_age_seconds NaN\n");
    let silent = Figures::between(&silent, &silent, SECOND);
    assert_eq!(silent.journal_oldest_age_s, None);
}

#[test]
fn the_first_reading_has_nothing_to_be_compared_with() {
    let mut sampler = Sampler::new();
    let start = Instant::now();
    assert_eq!(sampler.read(start, snapshot(&writes(7, 7, 7))), None);
    let figures = sampler.read(start + 2 * SECOND, snapshot(&writes(9, 9, 9)));
    assert_eq!(figures.unwrap().requests_per_second.write, 1.0);
}

#[test]
fn lines_are_read_with_escapes_times_and_odd_numbers() {
    let text = "# HELP a What.\n\na 1\nb{x=\"q\\\"\\\\\\n}, \",y=\"\"} +Inf 1700000000\nc{} NaN\n";
    let read = snapshot(text);
    assert_eq!(read.sum("a", &[]), 1.0);
    assert_eq!(
        read.sum("b", &[("x", "q\"\\\n}, "), ("y", "")]),
        f64::INFINITY
    );
    assert_eq!((read.sum("c", &[]), read.gauge("c", &[])), (0.0, None));
    for (text, line) in [
        ("a", 1),
        ("a 1\nb{x=\"y\" 1", 2),
        ("a x", 1),
        ("{} 1", 1),
        ("a{b=c} 1", 1),
    ] {
        assert_eq!(Snapshot::parse(text), Err(ParseError { line }), "{text}");
    }
}

#[test]
fn what_the_exporter_renders_is_read() {
    let recorder = PrometheusBuilder::new()
        .add_global_label("service", "a \"quoted\" one")
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &[0.1, 1.0])
        .unwrap()
        .build_recorder();
    metrics::with_local_recorder(&recorder, || {
        metrics::counter!("c_total", "k" => "v\n").increment(3);
        metrics::gauge!("g").set(f64::NAN);
        for value in [0.05, 0.05, 0.5, 5.0] {
            metrics::histogram!("h_seconds", "k" => "v").record(value);
        }
    });
    let text = recorder.handle().render();
    let read = snapshot(&text);
    assert_eq!(read.sum("c_total", &[("k", "v\n")]), 3.0, "{text}");
    assert_eq!(read.label("c_total", "service"), Some("a \"quoted\" one"));
    assert_eq!((read.has("g"), read.gauge("g", &[])), (true, None));
    let buckets = read.histogram("h_seconds", &[("k", "v")]);
    assert_eq!((buckets.count(), buckets.mean()), (4.0, Some(1.4)));
    assert_eq!(
        (buckets.quantile(0.25), buckets.quantile(0.99)),
        (Some(0.05), Some(1.0))
    );
}
