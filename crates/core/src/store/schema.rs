//! What the tables have to be before a service uses them.
//!
//! `IF NOT EXISTS` says that something is there, not what. So every start reads what is
//! there (`shape.rs`) and compares it with what the migrations make (`expected.rs`,
//! `compare.rs`), under the migration lock and before it changes anything. It then goes
//! on, adopts the table of another program (`classic.rs`, `survey.rs`, `adopt.rs`), or
//! ends with what differs (`refusal.rs`). `prepare.rs` is that procedure; `pieces.rs`
//! makes the recorded migrations agree with the tables. What each database does in its
//! own way is behind [`Tables`].

mod adopt;
mod classic;
mod compare;
mod expected;
mod pieces;
mod prepare;
mod progress;
mod refusal;
mod shape;
mod survey;

#[cfg(test)]
mod classic_tests;
#[cfg(test)]
mod compare_tests;

use std::collections::HashSet;

use async_trait::async_trait;

use crate::error::Result;

pub(in crate::store) use classic::Classic;
#[cfg(test)]
pub(in crate::store) use compare::exact_differences;
pub(in crate::store) use expected::{Expected, MYSQL, SQLITE};
pub(in crate::store) use prepare::prepare;
pub(in crate::store) use progress::Progress;
pub(in crate::store) use shape::{Column, Key, Table, plain_type};
pub(in crate::store) use survey::ClassicRow;

/// The table of the records.
pub(in crate::store) const USERS: &str = "users";
/// Where rows of an adopted table go that cannot stay.
pub(in crate::store) const SET_ASIDE: &str = "users_set_aside";
/// Most rows of a table that an ordinary start adopts: seconds, not minutes.
const ROWS_AT_START_MAX: u64 = 100_000;

/// What may be done about a `users` table of another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adoption {
    rows_max: Option<u64>,
    keep_newest: bool,
    dry_run: bool,
}

impl Adoption {
    /// What the start of a service does: adopts a table whose rows can all stay, up to
    /// a number of rows.
    pub const AT_START: Adoption = Adoption {
        rows_max: Some(ROWS_AT_START_MAX),
        keep_newest: false,
        dry_run: false,
    };

    /// What `migrate` does: a table of any size. With `keep_newest`, rows that cannot
    /// stay are set aside. A dry run changes nothing.
    pub fn by_migrate(keep_newest: bool, dry_run: bool) -> Adoption {
        Adoption {
            rows_max: None,
            keep_newest,
            dry_run,
        }
    }

    /// Whether nothing is changed.
    pub fn is_dry_run(self) -> bool {
        self.dry_run
    }
}

/// One database's tables, as the procedure reads and changes them. The caller holds
/// the migration lock.
#[async_trait]
pub(in crate::store) trait Tables: Send {
    /// What the migrations make.
    fn expected(&self) -> &'static Expected;

    /// All migrations that there are, by version, in their order.
    fn migrations(&self) -> Vec<String>;

    /// The tables of these names that are there.
    async fn found(&mut self, names: &[&str]) -> Result<Vec<Table>>;

    /// What else depends on `users` in a way that a changed table could break.
    async fn dependents(&mut self) -> Result<Vec<String>>;

    /// The versions of the migrations that are recorded as run.
    async fn recorded(&mut self) -> Result<HashSet<String>>;

    /// Whether a table that is there has a row.
    async fn has_row(&mut self, table: &str) -> Result<bool>;

    /// Records a migration as run.
    async fn note(&mut self, migration: &str) -> Result<()>;

    /// Removes the record of a migration, so that it runs again.
    async fn forget(&mut self, migration: &str) -> Result<()>;

    /// Runs the migrations that are not recorded; returns how many.
    async fn run_pending(&mut self) -> Result<usize>;

    /// How many rows `users` has.
    async fn count(&mut self) -> Result<u64>;

    /// Rows of the classic table in the order of their ids, from the first above
    /// `after` on.
    async fn rows_after(&mut self, after: Option<i64>, limit: u32) -> Result<Vec<ClassicRow>>;

    /// Creates `users_set_aside` where it is missing: the columns of `users`, and
    /// `reason`.
    async fn create_set_aside(&mut self, users: &Table) -> Result<()>;

    /// How many ids both `users` and `users_set_aside` have.
    async fn set_aside_already(&mut self) -> Result<u64>;

    /// Moves the rows of these ids there, in one transaction.
    async fn set_aside(&mut self, users: &Table, ids: &[i64], reason: &str) -> Result<()>;

    /// Makes the classic table what the first migration makes, in one step that
    /// happens as a whole or not at all.
    async fn adopt(&mut self, users: &Classic, progress: &Progress) -> Result<()>;
}
