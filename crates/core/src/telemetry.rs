//! Logs and metrics: how they are set up, and the one list of what is counted.

mod buckets;
pub mod escape;
mod log;
mod log_counted;
mod log_queue;
pub(crate) mod statements;
mod upkeep;

use std::sync::LazyLock;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
/// Renders the metrics in the Prometheus text format.
pub use metrics_exporter_prometheus::PrometheusHandle as MetricsHandle;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

use crate::engine::Source;
use crate::error::{Error, Part};
use crate::journal::ShardStats;
use crate::revision;
use crate::shard::Shard;
use crate::version::Version;

use buckets::{COMMIT_LAGS_S, DURATIONS_S, SIZES};
pub use log::{flush_log, start_log};
pub use upkeep::UPKEEP_INTERVAL;

/// Starts to count, and a task that keeps what was counted small whether or not
/// anybody asks for it. Call it before the first metric is touched, on a tokio
/// runtime with a clock.
///
/// # Errors
/// When metrics are set up already.
pub fn start_metrics(service: &'static str) -> Result<MetricsHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .add_global_label("service", service)
        // What names the whole metric comes before what names its end.
        .set_buckets_for_metric(Matcher::Full(COMMIT_LAG.into()), COMMIT_LAGS_S)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), DURATIONS_S)?
        .set_buckets_for_metric(Matcher::Suffix("_size".into()), SIZES)?
        .install_recorder()?;
    describe();
    // Every series is there from the start, at 0, so that a rate can be taken.
    LazyLock::force(&READS);
    for field in BROKEN_FIELDS {
        counter!("broken_rows_total", "field" => field).increment(0);
    }
    statements::started();
    counter!(log_queue::DROPPED).increment(0);
    let revision = revision::revision().unwrap_or("unknown");
    gauge!("build_info", "version" => revision::VERSION, "revision" => revision).set(1.0);
    tokio::spawn(upkeep::keep(handle.clone()));
    Ok(handle)
}

fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_gauge!(
        "build_info",
        "Always 1; the labels name the version and the commit that this was built from."
    );
    describe_counter!(
        "http_requests_total",
        "Requests answered, by route, method and status."
    );
    describe_histogram!(
        "http_request_duration_seconds",
        Unit::Seconds,
        "Time from a request's head to its answer's head."
    );
    describe_counter!(
        "cache_reads_total",
        "Reads by where they were answered from: hit, miss, bypass (a write was in flight, the cache is unavailable, or the client asked for the database)."
    );
    describe_gauge!(
        "cache_bypassed",
        "1 while this process reads and writes past its cache, since it or another process cannot reach it."
    );
    describe_gauge!(
        "writes_refused",
        "1 while writes are refused, since a server is not as they need it; /readyz says why."
    );
    describe_histogram!(
        "group_commit_batch_size",
        "Requests that went together in one batch, by queue."
    );
    describe_gauge!(
        "journal_depth_entries",
        "Entries in the journal that the database does not have yet, by shard."
    );
    describe_gauge!(
        "journal_depth_bytes",
        Unit::Bytes,
        "Bytes that those entries take, by shard."
    );
    describe_gauge!(
        "journal_oldest_age_seconds",
        Unit::Seconds,
        "Age of the oldest entry that the database does not have yet, over all shards; NaN while the journal does not answer."
    );
    describe_gauge!(
        "journal_limit_entries",
        "JOURNAL_ENTRIES_MAX: at so many entries writes are refused."
    );
    describe_gauge!(
        "journal_limit_bytes",
        Unit::Bytes,
        "JOURNAL_BYTES_MAX: at so many bytes writes are refused."
    );
    describe_gauge!(
        "journal_limit_age_seconds",
        Unit::Seconds,
        "JOURNAL_AGE_MAX_S: at that age of the oldest entry writes are refused."
    );
    describe_gauge!(
        "journal_dead_letters",
        "Writes that the database refused and that wait for an operator, by shard."
    );
    describe_gauge!(
        "journal_limit_dead_letters",
        "DEAD_LETTERS_MAX: at so many dead letters, what the database refuses is held back."
    );
    describe_gauge!(
        "journal_held_back_entries",
        "Writes that the database refused and that wait in the journal, since there are as many dead letters as may be, by shard."
    );
    describe_gauge!(
        "journal_leases_held",
        "Shards of a shared journal that this process drains."
    );
    describe_gauge!(
        "drain_rate_entries_per_second",
        "Entries that all processes drained from the journal a second, lately."
    );
    describe_gauge!(
        "drain_locked_names",
        "Names that this process cannot drain now, since another transaction has locked their rows in the database, by shard."
    );
    describe_counter!(
        "journal_lost_entries_total",
        "Acknowledged writes that the journal has lost, at most: its server restarted without its newest entries, or evicted them."
    );
    describe_counter!(
        "dead_letters_total",
        "Writes that the database refused and that this process set aside."
    );
    describe_counter!(
        "drain_skipped_entries_total",
        "Entries that the database refused and that another process had drained meanwhile: nothing was done about them."
    );
    describe_counter!("drain_entries_total", "Entries drained from the journal.");
    describe_counter!(
        "drain_rows_total",
        "Rows applied to the database by the drainer; fewer than entries where writes of one name coalesced."
    );
    describe_counter!(
        "drain_batches_total",
        "Batches applied to the database by the drainer."
    );
    describe_histogram!(
        "drain_batch_duration_seconds",
        Unit::Seconds,
        "Time to apply and acknowledge one batch."
    );
    describe_histogram!("drain_batch_size", "Entries in one drained batch.");
    describe_histogram!(
        "commit_lag_seconds",
        Unit::Seconds,
        "Time from an entry's version, issued before its write was answered, until the database had committed it or a newer one of its name; of every drained entry but dead letters."
    );
    describe_counter!(
        "store_statements_total",
        "Statements about records that were sent to the database, by kind: read or write; a repeated attempt counts again."
    );
    describe_counter!(
        "store_rows_total",
        "Rows to be inserted or updated that were sent to the database, tombstones included; a repeated attempt counts again."
    );
    describe_counter!(
        "store_commits_total",
        "Transactions with such rows that the database has committed."
    );
    describe_counter!(
        "broken_rows_total",
        "How often a row was met that another program has written and that breaks a rule of users, by field."
    );
    describe_counter!(
        "tombstones_purged_total",
        "Tombstones of deleted users that this process has removed from the database."
    );
    describe_counter!(
        log_queue::DROPPED,
        "Lines of the log that were dropped, since standard error was not read."
    );
    describe_counter!(
        "errors_total",
        "Failed operations, by operation, part and kind."
    );
}

struct Reads {
    hit: Counter,
    miss: Counter,
    bypass: Counter,
}

static READS: LazyLock<Reads> = LazyLock::new(|| Reads {
    hit: counter!("cache_reads_total", "outcome" => "hit"),
    miss: counter!("cache_reads_total", "outcome" => "miss"),
    bypass: counter!("cache_reads_total", "outcome" => "bypass"),
});

/// Has buckets of its own.
const COMMIT_LAG: &str = "commit_lag_seconds";

struct Drain {
    dead_letters: Counter,
    skipped: Counter,
    lost: Counter,
    rate: Gauge,
    leases: Gauge,
    entries: Counter,
    rows: Counter,
    batches: Counter,
    batch_duration_s: Histogram,
    batch_size: Histogram,
    commit_lag_s: Histogram,
    oldest_age_s: Gauge,
}

static DRAIN: LazyLock<Drain> = LazyLock::new(|| Drain {
    dead_letters: counter!("dead_letters_total"),
    skipped: counter!("drain_skipped_entries_total"),
    lost: counter!("journal_lost_entries_total"),
    rate: gauge!("drain_rate_entries_per_second"),
    leases: gauge!("journal_leases_held"),
    entries: counter!("drain_entries_total"),
    rows: counter!("drain_rows_total"),
    batches: counter!("drain_batches_total"),
    batch_duration_s: histogram!("drain_batch_duration_seconds"),
    batch_size: histogram!("drain_batch_size"),
    commit_lag_s: histogram!(COMMIT_LAG),
    oldest_age_s: gauge!("journal_oldest_age_seconds"),
});

/// Has the drainer's series there from its start.
pub fn drainer_started() {
    LazyLock::force(&DRAIN);
}

/// A read was answered.
pub fn read(source: Source) {
    match source {
        Source::Hit => READS.hit.increment(1),
        Source::Miss { .. } | Source::Collapsed => READS.miss.increment(1),
        Source::Requested { .. } | Source::InDoubt | Source::Bypass => READS.bypass.increment(1),
    }
}

/// This process reads and writes past its cache, or no longer.
pub fn bypasses(bypasses: bool) {
    gauge!("cache_bypassed").set(if bypasses { 1.0 } else { 0.0 });
}

/// A batch of `size` requests went out from a group-commit queue.
pub fn batch_committed(queue: &'static str, size: usize) {
    batch_sizes(queue).record(size as f64);
}

/// The sizes of the batches that go out from a group-commit queue.
pub fn batch_sizes(queue: &'static str) -> Histogram {
    histogram!("group_commit_batch_size", "queue" => queue)
}

/// A batch reached the database in `rows`, and the journal has forgotten its `entries`.
pub fn drained(entries: usize, rows: usize, elapsed: Duration) {
    DRAIN.entries.increment(entries as u64);
    DRAIN.rows.increment(rows as u64);
    DRAIN.batches.increment(1);
    DRAIN.batch_duration_s.record(elapsed.as_secs_f64());
    DRAIN.batch_size.record(entries as f64);
}

/// The entries with these versions were `committed`, or made unnecessary, at that
/// time. A clock that has issued later ones than this process's clock says counts as 0.
pub fn committed(versions: impl Iterator<Item = Version>, committed: Version) {
    let lag_s = &DRAIN.commit_lag_s;
    versions.for_each(|version| lag_s.record(version.age_us(committed) as f64 / 1e6));
}

/// The journal's figures as they are now; `None` when it does not answer.
pub fn journal(shards: Option<&[ShardStats]>) {
    let Some(shards) = shards else {
        DRAIN.oldest_age_s.set(f64::NAN);
        return;
    };
    for shard in shards {
        let label = shard.shard.0.to_string();
        gauge!("journal_depth_entries", "shard" => label.clone()).set(shard.depth as f64);
        gauge!("journal_dead_letters", "shard" => label.clone()).set(shard.dead as f64);
        let held_back = shard.held_back as f64;
        gauge!("journal_held_back_entries", "shard" => label.clone()).set(held_back);
        gauge!("journal_depth_bytes", "shard" => label).set(shard.bytes as f64);
    }
    let oldest_age_us = shards
        .iter()
        .map(|shard| shard.oldest_age_us)
        .max()
        .unwrap_or(0);
    DRAIN.oldest_age_s.set(oldest_age_us as f64 / 1e6);
}

/// At how much the journal is full.
pub fn journal_limits(entries: u64, bytes: u64, age: Duration, dead_letters: u64) {
    gauge!("journal_limit_entries").set(entries as f64);
    gauge!("journal_limit_bytes").set(bytes as f64);
    gauge!("journal_limit_age_seconds").set(age.as_secs_f64());
    gauge!("journal_limit_dead_letters").set(dead_letters as f64);
}

/// How fast the journal drains, in entries a second.
pub fn drain_rate(entries_per_second: f64) {
    DRAIN.rate.set(entries_per_second);
}

/// So many shards are leased to this process.
pub fn leases(shards: usize) {
    DRAIN.leases.set(shards as f64);
}

/// Entries of so many names wait for rows that another transaction has locked.
pub fn locked(shard: Shard, names: usize) {
    gauge!("drain_locked_names", "shard" => shard.0.to_string()).set(names as f64);
}

/// The journal has lost so many acknowledged writes.
pub fn lost(entries: u64) {
    DRAIN.lost.increment(entries);
}

/// Whether writes are refused, since a server is not as they need it.
pub fn writes_refused(refused: bool) {
    gauge!("writes_refused").set(f64::from(u8::from(refused)));
}

/// So many writes were set aside.
pub fn dead_letters(letters: u64) {
    DRAIN.dead_letters.increment(letters);
}

/// A refused entry was skipped, since another process had drained it.
pub(crate) fn skipped() {
    DRAIN.skipped.increment(1);
}

/// What of a row can break a rule.
const BROKEN_FIELDS: [&str; 4] = ["name", "age", "occupation", "version"];

/// A row was met whose `field` breaks a rule.
pub(crate) fn broken_row(field: &'static str) {
    counter!("broken_rows_total", "field" => field).increment(1);
}

/// So many tombstones were removed.
pub fn purged(tombstones: usize) {
    counter!("tombstones_purged_total").increment(tombstones as u64);
}

/// An operation failed.
pub fn failed(operation: &'static str, error: &Error) {
    let part = error.part().map_or("none", Part::as_str);
    counter!("errors_total", "operation" => operation, "part" => part, "kind" => error.kind())
        .increment(1);
}
