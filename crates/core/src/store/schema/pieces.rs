//! Makes the recorded migrations agree with what is there.
//!
//! A dump may have been restored in part, a table dropped by hand, a record deleted.
//! What is missing though it is recorded is made by running its migration again; a
//! column that is there though it is not recorded is recorded, since SQLite cannot add
//! it twice. Tables that caches and journals refer to are not made again: they would be
//! empty under the old identity.

use std::collections::{BTreeSet, HashSet};

use super::compare::has_key;
use super::expected::{Expected, ExpectedTable};
use super::shape::Table;
use super::{Tables, refusal};
use crate::error::Result;

const IDENTITY: &str = "users_identity";

/// What is there of the tables that the migrations make.
#[derive(Debug)]
pub(super) struct There {
    pub(super) tables: Vec<Table>,
    /// Those of them that have a row, of those that need one.
    pub(super) filled: HashSet<&'static str>,
    /// The migrations that are recorded as run.
    pub(super) recorded: HashSet<String>,
}

/// Records to add and to remove.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Corrections {
    note: BTreeSet<&'static str>,
    forget: BTreeSet<&'static str>,
}

impl There {
    pub(super) async fn read(tables: &mut dyn Tables) -> Result<There> {
        let expected = tables.expected();
        let names: Vec<&str> = expected.tables.iter().map(|table| table.name).collect();
        let found = tables.found(&names).await?;
        let mut filled = HashSet::new();
        for table in expected.tables {
            let needs_row = table.row_since.is_some() || table.name == IDENTITY;
            let is_table = |there: &Table| there.name == table.name && there.oddity.is_none();
            if needs_row && found.iter().any(is_table) && tables.has_row(table.name).await? {
                filled.insert(table.name);
            }
        }
        Ok(There {
            tables: found,
            filled,
            recorded: tables.recorded().await?,
        })
    }

    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    fn is_recorded(&self, migration: &str) -> bool {
        self.recorded.contains(migration)
    }

    /// Refuses to make a table again that caches and journals rely on: those know this
    /// database by its identity.
    pub(super) fn refuse_losses(&self, expected: &Expected) -> Result<()> {
        if !self.filled.contains(IDENTITY) {
            return Ok(());
        }
        let losses = expected.tables.iter().filter_map(|table| {
            let name = table.name;
            if self.table(name).is_none() {
                return self
                    .is_recorded(table.since)
                    .then(|| format!("the table {name} is not there"));
            }
            let has_lost_its_row = |since| self.is_recorded(since) && !self.filled.contains(name);
            let emptied = table.row_since.is_some_and(has_lost_its_row);
            emptied.then(|| format!("the table {name} is empty"))
        });
        match losses.collect::<Vec<_>>() {
            losses if losses.is_empty() => Ok(()),
            losses => Err(refusal::lost(&losses)),
        }
    }

    pub(super) fn corrections(&self, expected: &'static Expected) -> Corrections {
        let mut corrections = Corrections::default();
        for table in expected.tables {
            let missing: Vec<&'static str> = match self.table(table.name) {
                None => all_migrations_of(table).collect(),
                Some(there) => self.missing_pieces(there, table).collect(),
            };
            let recorded = missing.into_iter().filter(|since| self.is_recorded(since));
            corrections.forget.extend(recorded);
            if let Some(there) = self.table(table.name) {
                let columns = table.columns.iter();
                let there = columns.filter(|column| there.column(column.name).is_some());
                let since = there.filter_map(|column| column.since);
                let unrecorded = since.filter(|since| !self.is_recorded(since));
                corrections.note.extend(unrecorded);
            }
        }
        corrections
    }

    /// The migrations of what the table lacks.
    fn missing_pieces(
        &self,
        there: &Table,
        table: &'static ExpectedTable,
    ) -> impl Iterator<Item = &'static str> {
        let columns = table.columns.iter();
        let columns = columns.filter(|column| there.column(column.name).is_none());
        let keys = table.keys.iter();
        let keys = keys.filter(|key| !has_key(there, key.kind, key.columns));
        let row = table
            .row_since
            .filter(|_| !self.filled.contains(table.name));
        let columns = columns.filter_map(|column| column.since);
        columns.chain(keys.filter_map(|key| key.since)).chain(row)
    }
}

fn all_migrations_of(table: &'static ExpectedTable) -> impl Iterator<Item = &'static str> {
    let columns = table.columns.iter().filter_map(|column| column.since);
    let keys = table.keys.iter().filter_map(|key| key.since);
    let table = [Some(table.since), table.row_since];
    table.into_iter().flatten().chain(columns).chain(keys)
}

impl Corrections {
    pub(super) fn is_empty(&self) -> bool {
        self.note.is_empty() && self.forget.is_empty()
    }

    /// # Errors
    /// When the database is unavailable.
    pub(super) async fn make(&self, tables: &mut dyn Tables) -> Result<()> {
        for migration in &self.note {
            tables.note(migration).await?;
        }
        for migration in &self.forget {
            tables.forget(migration).await?;
        }
        Ok(())
    }
}
