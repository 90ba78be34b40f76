//! What the stores send to the database, counted in the same way for each of them.
//!
//! A *statement* is one that reads or writes records, or holds their rows, and what a
//! transaction asks of its epoch before it does. BEGIN, COMMIT and ROLLBACK are none;
//! nor is what is asked about health, after an error, when the database is opened, and
//! about the processes that use the cache. Statements and their rows are counted when
//! they are sent: a refused one counts, and one that is sent again counts again.
//!
//! A *row* is a record that is sent to be written, tombstones included, whether or not
//! the database has something newer. What fills a statement up to its length is none,
//! nor what only holds the place of a row that is not there.
//!
//! A *commit* is a transaction with at least one such row, when the database has said
//! that it is committed. A single statement may be one by itself. Its rows are *committed*
//! then: while the database does not answer, rows are sent again and again, and none is.

use std::sync::LazyLock;

use metrics::{Counter, counter};

struct Statements {
    reads: Counter,
    writes: Counter,
    rows_sent: Counter,
    rows_committed: Counter,
    commits: Counter,
}

static STATEMENTS: LazyLock<Statements> = LazyLock::new(|| Statements {
    reads: counter!("write_cache_store_statements_total", "kind" => "read"),
    writes: counter!("write_cache_store_statements_total", "kind" => "write"),
    rows_sent: counter!("write_cache_store_rows_sent_total"),
    rows_committed: counter!("write_cache_store_rows_committed_total"),
    commits: counter!("write_cache_store_commits_total"),
});

/// Has the series there from the start.
pub(super) fn started() {
    LazyLock::force(&STATEMENTS);
}

/// One that reads is about to be sent.
pub(crate) fn read() {
    STATEMENTS.reads.increment(1);
}

/// One that writes so many rows is about to be sent.
pub(crate) fn write(rows: usize) {
    STATEMENTS.writes.increment(1);
    STATEMENTS.rows_sent.increment(rows as u64);
}

/// One that holds rows by writing is about to be sent.
pub(crate) fn hold() {
    STATEMENTS.writes.increment(1);
}

/// A transaction that wrote so many rows is committed.
pub(crate) fn committed(rows: usize) {
    STATEMENTS.rows_committed.increment(rows as u64);
    STATEMENTS.commits.increment(1);
}
