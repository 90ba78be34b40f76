//! How a table differs from what the migrations make.
//!
//! Tolerated is what no statement of the services can notice: more columns that an
//! INSERT may leave out, more keys, triggers, constraints. (What those refuse becomes a
//! dead letter or an error of the write.)

use super::expected::{ExpectedColumn, ExpectedKey, ExpectedTable, KeyKind};
use super::shape::{Column, Key, Table};

/// Which migrations have run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// At least the one that makes the table.
    First,
    /// All.
    All,
}

impl Scope {
    fn has(self, since: Option<&str>) -> bool {
        self == Scope::All || since.is_none()
    }

    /// What the key has to be, if it has to be there.
    fn kind_of(self, key: &ExpectedKey) -> Option<KeyKind> {
        match self.has(key.since) {
            true => Some(key.kind),
            false => key.was,
        }
    }
}

/// What differs, each as a clause; nothing where the table is as it should be.
pub(super) fn differences(found: &Table, expected: &ExpectedTable, scope: Scope) -> Vec<String> {
    let name = expected.name;
    if let Some(oddity) = &found.oddity {
        return vec![format!("{name} is {oddity}")];
    }
    let mut differences = Vec::new();
    for column in expected.columns {
        match found.column(column.name) {
            Some(there) => differences.extend(column_differences(name, there, column)),
            None if scope.has(column.since) => {
                differences.push(format!("{name} has no column {}", column.name));
            }
            None => {}
        }
    }
    for column in unexpected_columns(found, expected).filter(|column| !column.may_be_left_out()) {
        let what = "which can neither be NULL nor has a default";
        differences.push(format!("{name} has a column {} more, {what}", column.name));
    }
    for key in expected.keys {
        if let Some(kind) = scope.kind_of(key)
            && !has_key(found, kind, key.columns)
        {
            differences.push(format!("{name} has no {}", in_words(kind, key.columns)));
        }
    }
    // MySQL's CREATE TABLE … LIKE gives a CHECK another name, so they count as well.
    let lacks_checks = found.checks.len() < expected.checks.len();
    let is_missing = |check: &&&str| lacks_checks && !has_check(found, check);
    for check in expected.checks.iter().filter(is_missing) {
        differences.push(format!("{name} has no CHECK constraint {check}"));
    }
    differences
}

/// As [`differences`], and what a table has more than it should have.
#[cfg(test)]
pub(in crate::store) fn exact_differences(
    found: &Table,
    expected: &super::Expected,
) -> Vec<String> {
    let mut tables = expected.tables.iter();
    let Some(expected) = tables.find(|table| table.name == found.name) else {
        return vec![format!("{} is not listed", found.name)];
    };
    let mut differences = differences(found, expected, Scope::All);
    for column in unexpected_columns(found, expected) {
        differences.push(format!("{}.{} is not listed", found.name, column.name));
    }
    for column in &found.columns {
        let listed = |ours: &&ExpectedColumn| ours.name == column.name;
        if let Some(ours) = expected.columns.iter().find(listed)
            && ours.kind != column.kind
        {
            differences.push(format!("{} is {}", column.name, column.kind));
        }
    }
    for key in &found.keys {
        let listed = |expected: &&ExpectedKey| {
            is_as_strong(key, expected.kind)
                && key.is_over(expected.columns)
                && key.unique == (expected.kind != KeyKind::Plain)
        };
        if expected.keys.iter().find(listed).is_none() {
            differences.push(format!("the key {} is not listed", key.name));
        }
    }
    if found.checks.len() != expected.checks.len() {
        differences.push(format!("its CHECKs are {:?}", found.checks));
    }
    differences
}

fn unexpected_columns<'t>(
    found: &'t Table,
    expected: &ExpectedTable,
) -> impl Iterator<Item = &'t Column> {
    let is_ours = |column: &&Column| {
        let mut ours = expected.columns.iter();
        ours.any(|ours| ours.name.eq_ignore_ascii_case(&column.name))
    };
    found.columns.iter().filter(move |column| !is_ours(column))
}

fn column_differences(table: &str, there: &Column, expected: &ExpectedColumn) -> Vec<String> {
    let name = format!("{table}.{}", expected.name);
    let mut differences = Vec::new();
    if there.kind != expected.kind && !differs_in_length_only(table, there, expected) {
        differences.push(format!("{name} is {}, not {}", there.kind, expected.kind));
    }
    if let Some(collation) = expected.collation
        && there.collation.as_deref() != Some(collation)
    {
        let is = there.collation.as_deref().unwrap_or("none");
        differences.push(format!("{name} has the collation {is}, not {collation}"));
    }
    match (there.nullable, expected.nullable) {
        (true, false) => differences.push(format!("{name} may be NULL")),
        (false, true) => differences.push(format!("{name} may not be NULL")),
        _ => {}
    }
    if expected.auto_increment && !there.auto_increment {
        differences.push(format!("{name} is not AUTO_INCREMENT"));
    }
    if expected.may_be_left_out && !there.may_be_left_out() {
        differences.push(format!("{name} has no default"));
    }
    if there.generated {
        differences.push(format!("{name} is computed"));
    }
    differences
}

/// Whether the table has a key over `columns` that promises as much as one of this kind.
pub(super) fn has_key(found: &Table, kind: KeyKind, columns: &[&str]) -> bool {
    let mut keys = found.keys.iter().filter(|key| key.is_over(columns));
    keys.any(|key| is_as_strong(key, kind))
}

fn is_as_strong(there: &Key, kind: KeyKind) -> bool {
    match kind {
        KeyKind::Primary => there.primary,
        KeyKind::Unique => there.unique,
        KeyKind::Plain => true,
    }
}

fn in_words(kind: KeyKind, columns: &[&str]) -> String {
    let kind = match kind {
        KeyKind::Primary => "primary key",
        KeyKind::Unique => "unique key",
        KeyKind::Plain => "key",
    };
    format!("{kind} on {}", columns.join(", "))
}

fn has_check(found: &Table, name: &str) -> bool {
    let mut checks = found.checks.iter();
    checks.any(|check| check.eq_ignore_ascii_case(name))
}

/// An operator may narrow the texts of a user. A record that does not fit is refused by the
/// database, and that is no more than a dead letter.
fn differs_in_length_only(table: &str, there: &Column, expected: &ExpectedColumn) -> bool {
    const VARCHAR: &str = "varchar(";
    table == "users" && there.kind.starts_with(VARCHAR) && expected.kind.starts_with(VARCHAR)
}
