//! The one list of metrics. `docs/metrics.md` is made of it.

#[cfg(test)]
mod tests;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// How a metric's value moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Upwards only, from 0 at the start of the process.
    Counter,
    /// Both ways.
    Gauge,
    /// A count of values by how large they are.
    Histogram,
}

impl Kind {
    /// The word for it in the Prometheus text format.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How its value moves.
    pub kind: Kind,
    /// Its labels, besides `service`, which all have.
    pub labels: &'static [&'static str],
    /// One or more sentences.
    pub meaning: &'static str,
}

/// Metrics about one thing.
#[derive(Debug)]
pub struct Section {
    /// The thing.
    pub title: &'static str,
    /// Those about it.
    pub metrics: &'static [Metric],
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        labels,
        meaning,
    }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
) -> Metric {
    Metric {
        kind: Kind::Gauge,
        ..counter(name, labels, meaning)
    }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
) -> Metric {
    Metric {
        kind: Kind::Histogram,
        ..counter(name, labels, meaning)
    }
}

/// All metrics. Their names follow the rules of Prometheus, which a test checks.
pub const SECTIONS: &[Section] = &[
    Section {
        title: "Requests",
        metrics: &[
            counter(
                "write_cache_http_requests_total",
                &["route", "method", "status"],
                "Requests answered.",
            ),
            histogram(
                "write_cache_http_request_duration_seconds",
                &["route", "method", "outcome"],
                "Time from a request's head to its answer's head. `outcome` is `failed` for a status of 500 or more, else `answered`.",
            ),
            counter(
                "write_cache_batch_lines_total",
                &["kind", "status"],
                "Lines of `POST /users/batch` answered. `kind` is `put` or `delete`, or `none` for a line that was refused before it was either.",
            ),
            gauge(
                "write_cache_http_requests_in_flight",
                &[],
                "Requests of clients that are not answered yet. Probes, `/metrics`, the dashboard and `/flush` do not count.",
            ),
            gauge(
                "write_cache_http_oldest_request_age_seconds",
                &[],
                "Age of the oldest of those requests; 0 without one. A write that waits for `durability=persisted` counts.",
            ),
            counter(
                "write_cache_errors_total",
                &["operation", "part", "kind"],
                "Failed operations. The operation `answer` counts every answer of 500.",
            ),
            counter(
                "write_cache_log_lines_dropped_total",
                &[],
                "Lines of the log that were dropped, since standard error was not read.",
            ),
            gauge(
                "write_cache_build_info",
                &["version", "revision"],
                "Always 1; the labels name the version and the commit that this was built from.",
            ),
        ],
    },
    Section {
        title: "Backends",
        metrics: &[
            gauge(
                "write_cache_up",
                &["part"],
                "1 while the `cache`, the `journal` or the `database` is available, else 0, as `/readyz` has it.",
            ),
            gauge(
                "write_cache_up_changed_timestamp_seconds",
                &["part"],
                "When `write_cache_up` last changed, in seconds since 1970; the start of the process before that.",
            ),
            gauge(
                "write_cache_calls_in_flight",
                &["part"],
                "Calls of the part that have not ended yet. Reads of the journal do not count, nor does a cache in memory.",
            ),
            gauge(
                "write_cache_database_connections",
                &["state"],
                "Open connections of the pool to the database: `idle` or `used`.",
            ),
            gauge(
                "write_cache_database_connections_max",
                &[],
                "Most connections of that pool now: `DATABASE_POOL_MAX`, or fewer where the server admits fewer.",
            ),
            gauge(
                "write_cache_database_calls_waiting",
                &[],
                "Calls of the database that wait for a connection.",
            ),
            gauge(
                "write_cache_redis_connections",
                &[],
                "Open connections to Redis that carry commands. Many calls share one; subscriptions do not count.",
            ),
            counter(
                "write_cache_redis_connections_opened_total",
                &[],
                "Such connections that were opened.",
            ),
            gauge(
                "write_cache_writes_refused",
                &[],
                "1 while writes are refused, since a server is not as they need it; `/readyz` says why.",
            ),
        ],
    },
    Section {
        title: "Cache",
        metrics: &[
            counter(
                "write_cache_cache_reads_total",
                &["outcome"],
                "Reads by where they were answered from: `hit`, `miss`, or `bypass` (a write was in flight, the cache is unavailable, or the client asked for the database).",
            ),
            gauge(
                "write_cache_cache_bypassed",
                &[],
                "1 while this process bypasses its cache, since it or another process cannot reach it. Only of write-through with Redis.",
            ),
            histogram(
                "write_cache_group_commit_batch_size",
                &["queue"],
                "Requests that went together in one batch. The queues are `write-through` (writes to the database), `journal` (writes to the journal), `workers` (what one HTTP worker hands to `journal` where that is a file), `reads` (reads from Redis) and `loads` (reads from the database by `POST /users/get`).",
            ),
        ],
    },
    Section {
        title: "Journal",
        metrics: &[
            gauge(
                "write_cache_journal_depth_entries",
                &["shard"],
                "Entries in the journal that the database does not have yet.",
            ),
            gauge(
                "write_cache_journal_depth_bytes",
                &["shard"],
                "Bytes that those entries take.",
            ),
            gauge(
                "write_cache_journal_oldest_age_seconds",
                &[],
                "Age of the oldest entry that the database does not have yet, over all shards; NaN while the journal does not answer.",
            ),
            gauge(
                "write_cache_journal_limit_entries",
                &[],
                "`JOURNAL_ENTRIES_MAX`: at so many entries writes are refused.",
            ),
            gauge(
                "write_cache_journal_limit_bytes",
                &[],
                "`JOURNAL_BYTES_MAX`: at so many bytes writes are refused.",
            ),
            gauge(
                "write_cache_journal_limit_age_seconds",
                &[],
                "`JOURNAL_AGE_MAX_S`: at that age of the oldest entry writes are refused.",
            ),
            gauge(
                "write_cache_journal_limit_dead_letters",
                &[],
                "`DEAD_LETTERS_MAX`: at so many dead letters, what the database refuses is held back.",
            ),
            gauge(
                "write_cache_journal_dead_letters",
                &["shard"],
                "Writes that the database refused and that wait for an operator.",
            ),
            gauge(
                "write_cache_journal_held_back_entries",
                &["shard"],
                "Writes that the database refused and that wait in the journal, since the limit of dead letters is reached.",
            ),
            gauge(
                "write_cache_journal_held_back_bytes",
                &["shard"],
                "Bytes that those writes take; they count towards `JOURNAL_BYTES_MAX`.",
            ),
            gauge(
                "write_cache_journal_leases_held",
                &[],
                "Shards of a shared journal that this process drains.",
            ),
            counter(
                "write_cache_journal_lost_entries_total",
                &[],
                "Acknowledged writes that the journal has lost, at most: its server restarted without its newest entries, or evicted them.",
            ),
            counter(
                "write_cache_dead_letters_total",
                &[],
                "Writes that the database refused and that this process set aside.",
            ),
        ],
    },
    Section {
        title: "Drain",
        metrics: &[
            counter(
                "write_cache_drain_entries_total",
                &[],
                "Entries that this process drained from the journal.",
            ),
            counter(
                "write_cache_drain_rows_total",
                &[],
                "Rows applied to the database by the drainer; fewer than entries where writes of one name coalesced.",
            ),
            counter(
                "write_cache_drain_batches_total",
                &[],
                "Batches applied to the database by the drainer.",
            ),
            counter(
                "write_cache_drain_skipped_entries_total",
                &[],
                "Entries that the database refused and that another process had drained meanwhile: nothing was done about them.",
            ),
            gauge(
                "write_cache_drain_locked_names",
                &["shard"],
                "Names that this process cannot drain now, since another transaction has locked their rows in the database.",
            ),
            histogram(
                "write_cache_drain_batch_duration_seconds",
                &[],
                "Time to apply and acknowledge one batch.",
            ),
            histogram(
                "write_cache_drain_batch_size",
                &[],
                "Entries in one drained batch.",
            ),
            histogram(
                "write_cache_commit_lag_seconds",
                &[],
                "Time from an entry's version, issued before its write was answered, until the database had committed it or a newer one of its name; of every drained entry but dead letters.",
            ),
        ],
    },
    Section {
        title: "Database",
        metrics: &[
            counter(
                "write_cache_store_statements_total",
                &["kind"],
                "Statements about records that were sent to the database: `read` or `write`. A repeated attempt counts again.",
            ),
            counter(
                "write_cache_store_rows_sent_total",
                &[],
                "Rows to be inserted or updated that were sent to the database, tombstones included. A repeated attempt counts again.",
            ),
            counter(
                "write_cache_store_rows_committed_total",
                &[],
                "Such rows that the database has committed: it moves only when the database has answered.",
            ),
            counter(
                "write_cache_store_commits_total",
                &[],
                "Transactions with such rows that the database has committed.",
            ),
            counter(
                "write_cache_broken_rows_total",
                &["field"],
                "How often a row was met that another program has written and that breaks a rule of users.",
            ),
            counter(
                "write_cache_tombstones_purged_total",
                &[],
                "Tombstones of deleted users that this process has removed from the database.",
            ),
        ],
    },
    Section {
        title: "Process",
        metrics: &[
            counter(
                "process_cpu_seconds_total",
                &[],
                "Processor time that the process has used, in user and system mode, in whole seconds.",
            ),
            gauge(
                "process_resident_memory_bytes",
                &[],
                "Memory of the process that is in RAM.",
            ),
            gauge(
                "process_virtual_memory_bytes",
                &[],
                "Address space of the process.",
            ),
            gauge("process_open_fds", &[], "File descriptors that are open."),
            gauge(
                "process_max_fds",
                &[],
                "Most file descriptors that may be open.",
            ),
            gauge("process_threads", &[], "Threads of the process."),
            gauge(
                "process_start_time_seconds",
                &[],
                "When the process started, in seconds since 1970.",
            ),
        ],
    },
];

/// All of them, one after the other.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    SECTIONS.iter().flat_map(|section| section.metrics)
}

/// Gives each metric its HELP.
pub(super) fn describe() {
    for metric in all() {
        let (name, help) = (metric.name, metric.meaning.replace('`', ""));
        match (metric.kind, unit(name)) {
            (Kind::Counter, Some(unit)) => describe_counter!(name, unit, help),
            (Kind::Counter, None) => describe_counter!(name, help),
            (Kind::Gauge, Some(unit)) => describe_gauge!(name, unit, help),
            (Kind::Gauge, None) => describe_gauge!(name, help),
            (Kind::Histogram, Some(unit)) => describe_histogram!(name, unit, help),
            (Kind::Histogram, None) => describe_histogram!(name, help),
        }
    }
}

/// The unit that a name ends with.
fn unit(name: &str) -> Option<Unit> {
    let name = name.strip_suffix("_total").unwrap_or(name);
    match name.rsplit('_').next() {
        Some("seconds") => Some(Unit::Seconds),
        Some("bytes") => Some(Unit::Bytes),
        _ => None,
    }
}
