//! Logs and metrics: how they are set up, and the one list of what is counted.

mod buckets;
pub mod escape;
mod handle;
mod log;
mod log_counted;
mod log_queue;
mod process;
pub mod repeated;
pub(crate) mod statements;
pub mod table;
pub mod trace;
mod upkeep;

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

use crate::error::{Error, Part};
use crate::model::shard::{Shard, ShardStats};
use crate::model::source::Source;
use crate::model::version::Version;
use crate::revision;

use buckets::{COMMIT_LAGS_S, DURATIONS_S, SIZES};
pub use handle::MetricsHandle;
pub use log::{flush_log, start_log};

/// Starts to count, and a task that keeps what was counted small even if the metrics are never
/// scraped. Call it before the first metric is touched, on a tokio runtime with a clock.
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
    table::describe();
    // Every series is there from the start, at 0, so that a rate can be taken.
    LazyLock::force(&READS);
    for field in BROKEN_FIELDS {
        counter!("write_cache_broken_rows_total", "field" => field).increment(0);
    }
    statements::started();
    counter!(log_queue::DROPPED).increment(0);
    let revision = revision::revision().unwrap_or("unknown");
    gauge!("write_cache_build_info", "version" => revision::VERSION, "revision" => revision)
        .set(1.0);
    tokio::spawn(upkeep::keep(handle.clone()));
    Ok(MetricsHandle::new(handle))
}

struct Reads {
    hit: Counter,
    miss: Counter,
    bypass: Counter,
}

static READS: LazyLock<Reads> = LazyLock::new(|| Reads {
    hit: counter!("write_cache_cache_reads_total", "outcome" => "hit"),
    miss: counter!("write_cache_cache_reads_total", "outcome" => "miss"),
    bypass: counter!("write_cache_cache_reads_total", "outcome" => "bypass"),
});

/// Has buckets of its own.
const COMMIT_LAG: &str = "write_cache_commit_lag_seconds";

struct DrainMetrics {
    dead_letters: Counter,
    skipped: Counter,
    lost: Counter,
    leases: Gauge,
    entries: Counter,
    rows: Counter,
    batches: Counter,
    batch_duration_s: Histogram,
    batch_size: Histogram,
    commit_lag_s: Histogram,
    oldest_age_s: Gauge,
}

static DRAIN: LazyLock<DrainMetrics> = LazyLock::new(|| DrainMetrics {
    dead_letters: counter!("write_cache_dead_letters_total"),
    skipped: counter!("write_cache_drain_skipped_entries_total"),
    lost: counter!("write_cache_journal_lost_entries_total"),
    leases: gauge!("write_cache_journal_leases_held"),
    entries: counter!("write_cache_drain_entries_total"),
    rows: counter!("write_cache_drain_rows_total"),
    batches: counter!("write_cache_drain_batches_total"),
    batch_duration_s: histogram!("write_cache_drain_batch_duration_seconds"),
    batch_size: histogram!("write_cache_drain_batch_size"),
    commit_lag_s: histogram!(COMMIT_LAG),
    oldest_age_s: gauge!("write_cache_journal_oldest_age_seconds"),
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

/// Records whether this process bypasses its cache.
pub fn bypasses(bypasses: bool) {
    gauge!("write_cache_cache_bypassed").set(if bypasses { 1.0 } else { 0.0 });
}

/// A batch of `size` requests went out from a group-commit queue.
pub fn batch_committed(queue: &'static str, size: usize) {
    batch_sizes(queue).record(size as f64);
}

/// The sizes of the batches that go out from a group-commit queue.
pub fn batch_sizes(queue: &'static str) -> Histogram {
    histogram!("write_cache_group_commit_batch_size", "queue" => queue)
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
        gauge!("write_cache_journal_depth_entries", "shard" => label.clone())
            .set(shard.depth as f64);
        gauge!("write_cache_journal_dead_letters", "shard" => label.clone()).set(shard.dead as f64);
        let held_back = shard.held_back as f64;
        gauge!("write_cache_journal_held_back_entries", "shard" => label.clone()).set(held_back);
        let held_back_bytes = shard.held_back_bytes as f64;
        gauge!("write_cache_journal_held_back_bytes", "shard" => label.clone())
            .set(held_back_bytes);
        gauge!("write_cache_journal_depth_bytes", "shard" => label).set(shard.bytes as f64);
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
    gauge!("write_cache_journal_limit_entries").set(entries as f64);
    gauge!("write_cache_journal_limit_bytes").set(bytes as f64);
    gauge!("write_cache_journal_limit_age_seconds").set(age.as_secs_f64());
    gauge!("write_cache_journal_limit_dead_letters").set(dead_letters as f64);
}

/// So many shards are leased to this process.
pub fn leases(shards: usize) {
    DRAIN.leases.set(shards as f64);
}

/// Entries of so many names wait for rows that another transaction has locked.
pub fn locked(shard: Shard, names: usize) {
    gauge!("write_cache_drain_locked_names", "shard" => shard.0.to_string()).set(names as f64);
}

/// A connection to Redis was opened, or has ended.
pub(crate) fn redis_connection(is_open: bool) {
    let open = gauge!("write_cache_redis_connections");
    match is_open {
        true => {
            open.increment(1.0);
            counter!("write_cache_redis_connections_opened_total").increment(1);
        }
        false => open.decrement(1.0),
    }
}

/// So many connections to the database are idle and used, of at most `max`, and so many calls wait
/// for one.
pub(crate) fn database_connections(idle: usize, used: usize, max: usize, waiting: usize) {
    gauge!("write_cache_database_connections", "state" => "idle").set(idle as f64);
    gauge!("write_cache_database_connections", "state" => "used").set(used as f64);
    gauge!("write_cache_database_connections_max").set(max as f64);
    gauge!("write_cache_database_calls_waiting").set(waiting as f64);
}

/// Whether a part is up, since when, and how many calls of it are in flight.
pub(crate) fn part(part: Part, up: bool, since: SystemTime, in_flight: u64) {
    let part = part.as_str();
    let since = since.duration_since(SystemTime::UNIX_EPOCH);
    gauge!("write_cache_up", "part" => part).set(f64::from(u8::from(up)));
    gauge!("write_cache_up_changed_timestamp_seconds", "part" => part)
        .set(since.unwrap_or_default().as_secs_f64());
    gauge!("write_cache_calls_in_flight", "part" => part).set(in_flight as f64);
}

/// The journal has lost so many acknowledged writes.
pub fn lost(entries: u64) {
    DRAIN.lost.increment(entries);
}

/// Whether writes are refused, since a server is not as they need it.
pub fn writes_refused(refused: bool) {
    gauge!("write_cache_writes_refused").set(f64::from(u8::from(refused)));
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
    counter!("write_cache_broken_rows_total", "field" => field).increment(1);
}

/// So many tombstones were removed.
pub fn purged(tombstones: usize) {
    counter!("write_cache_tombstones_purged_total").increment(tombstones as u64);
}

/// An operation failed.
pub fn failed(operation: &'static str, error: &Error) {
    failed_of(operation, error.part(), error.kind());
}

/// The same by the error's part and kind.
pub fn failed_of(operation: &'static str, part: Option<Part>, kind: &'static str) {
    let part = part.map_or("none", Part::as_str);
    counter!("write_cache_errors_total", "operation" => operation, "part" => part, "kind" => kind)
        .increment(1);
}
