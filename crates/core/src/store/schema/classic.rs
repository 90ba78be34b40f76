//! The table that the classic demos of these patterns make:
//!
//! ```sql
//! users (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(255) NOT NULL,
//!        age INT NOT NULL, occupation VARCHAR(255) NOT NULL)
//! ```
//!
//! in any character set, with or without a unique key on the name. A column more that
//! an INSERT may leave out, and plain keys, stay as they are.

use super::USERS;
use super::expected::{Expected, ExpectedTable, Kind};
use super::shape::{Column, Key, Table};

/// A table that can be adopted.
#[derive(Clone, Debug)]
pub(in crate::store) struct Classic {
    pub(in crate::store) table: Table,
}

struct ClassicColumn {
    name: &'static str,
    kinds: &'static [&'static str],
}

const MYSQL_COLUMNS: &[ClassicColumn] = &[
    ClassicColumn {
        name: "id",
        kinds: &["int", "int unsigned", "bigint", "bigint unsigned"],
    },
    ClassicColumn {
        name: "name",
        kinds: &["varchar(255)"],
    },
    ClassicColumn {
        name: "age",
        kinds: &["int", "int unsigned"],
    },
    ClassicColumn {
        name: "occupation",
        kinds: &["varchar(255)"],
    },
];

/// SQLite takes a declared type as a hint.
const SQLITE_COLUMNS: &[ClassicColumn] = &[
    ClassicColumn {
        name: "id",
        kinds: &["integer"],
    },
    ClassicColumn {
        name: "name",
        kinds: &["text", "varchar(255)"],
    },
    ClassicColumn {
        name: "age",
        kinds: &["integer", "int"],
    },
    ClassicColumn {
        name: "occupation",
        kinds: &["text", "varchar(255)"],
    },
];

/// Whether `users` is one that the first migration has made, as it is or changed.
pub(super) fn is_ours(found: &Table) -> bool {
    found.column("version").is_some() && found.column("deleted_at").is_some()
}

impl Classic {
    /// The table as one that can be adopted, or what differs from one.
    pub(super) fn of(found: &Table, expected: &Expected) -> Result<Classic, Vec<String>> {
        if let Some(oddity) = &found.oddity {
            return Err(vec![format!("it is {oddity}")]);
        }
        let columns = match expected.kind {
            Kind::Sqlite => SQLITE_COLUMNS,
            Kind::Mysql => MYSQL_COLUMNS,
        };
        let mut differences = Vec::new();
        for classic in columns {
            match found.column(classic.name) {
                Some(column) => differences.extend(column_differences(column, classic)),
                None => differences.push(format!("it has no column {}", classic.name)),
            }
        }
        let is_classic = |column: &Column| {
            let mut classic = columns.iter();
            classic.any(|classic| classic.name.eq_ignore_ascii_case(&column.name))
        };
        let more = found.columns.iter().filter(|column| !is_classic(column));
        differences.extend(more.filter_map(|column| extra_difference(column, expected)));
        let primary = found.keys.iter().find(|key| key.primary);
        if !primary.is_some_and(|key| key.is_over(&["id"])) {
            differences.push("its primary key is not id".to_owned());
        }
        let mut unique = found.keys.iter().filter(|key| key.unique && !key.primary);
        if let Some(key) = unique.find(|key| !key.is_over(&["name"])) {
            let columns = key.columns.join(", ");
            differences.push(format!("it has a unique key on {columns}"));
        }
        for check in &found.checks {
            differences.push(format!("it has a CHECK constraint ({check})"));
        }
        for key in &found.foreign_keys {
            differences.push(format!("it has a foreign key ({key})"));
        }
        match differences.is_empty() {
            true => Ok(Classic {
                table: found.clone(),
            }),
            false => Err(differences),
        }
    }

    /// The keys that give way to ours: those that make names unique by another
    /// collation, and those with one of our names.
    pub(in crate::store) fn keys_to_replace(&self) -> impl Iterator<Item = &Key> {
        self.table.keys.iter().filter(|key| {
            let ours = [
                "users_name",
                "users_version",
                "users_id",
                "users_tombstones",
            ];
            let has_our_name = ours.iter().any(|name| key.name.eq_ignore_ascii_case(name));
            !key.primary && (key.unique || has_our_name)
        })
    }

    /// The columns that the classic table does not have.
    pub(in crate::store) fn more_columns(&self) -> impl Iterator<Item = &Column> {
        let classic = ["id", "name", "age", "occupation"];
        self.table.columns.iter().filter(move |column| {
            !(classic.iter()).any(|name| column.name.eq_ignore_ascii_case(name))
        })
    }

    /// What adopting it changes, in words.
    pub(super) fn changes(&self, expected: &Expected) -> String {
        let Some(ours) = users(expected) else {
            return String::new();
        };
        let mut changes = Vec::new();
        for column in ours.columns {
            match self.table.column(column.name) {
                None => changes.push(format!("{} is new", column.name)),
                Some(there) => {
                    let (was, is) = (
                        in_words(&there.declared, there.collation.as_deref(), there.nullable),
                        in_words(column.kind, column.collation, column.nullable),
                    );
                    if was != is {
                        changes.push(format!("{} was {was} and is {is}", column.name));
                    }
                }
            }
        }
        for key in self.keys_to_replace() {
            changes.push(format!("the key {} was replaced", key.name));
        }
        changes.push("name is unique byte for byte".to_owned());
        changes.join("; ")
    }
}

fn users(expected: &Expected) -> Option<&ExpectedTable> {
    expected.tables.iter().find(|table| table.name == USERS)
}

fn in_words(kind: &str, collation: Option<&str>, nullable: bool) -> String {
    let collation = collation.map(|collation| format!(" {collation}"));
    let not = if nullable { "" } else { " NOT NULL" };
    format!("{kind}{}{not}", collation.unwrap_or_default())
}

fn column_differences(column: &Column, classic: &ClassicColumn) -> Vec<String> {
    let name = classic.name;
    let mut differences = Vec::new();
    if !classic.kinds.contains(&column.kind.as_str()) {
        let wanted = classic.kinds.join(" or ");
        differences.push(format!("{name} is {}, not {wanted}", column.kind));
    }
    if column.nullable {
        differences.push(format!("{name} may be NULL"));
    }
    if column.generated {
        differences.push(format!("{name} is computed"));
    }
    if name == "id" && !column.may_be_left_out() {
        differences.push("id is not AUTO_INCREMENT".to_owned());
    }
    differences
}

/// A column more, other than one that stays as it is.
fn extra_difference(column: &Column, expected: &Expected) -> Option<String> {
    let name = &column.name;
    let ours = users(expected).into_iter().flat_map(|table| table.columns);
    if let Some(ours) = ours
        .into_iter()
        .find(|ours| ours.name.eq_ignore_ascii_case(name))
    {
        // Releases that did not look at the table added it to the classic one.
        let left_by_us = column.kind == ours.kind && ours.since.is_some() && !column.nullable;
        return (!left_by_us || expected.kind == Kind::Sqlite)
            .then(|| format!("it has a column {name} of its own"));
    }
    if column.generated {
        return Some(format!("it has a computed column {name}"));
    }
    (!column.may_be_left_out())
        .then(|| format!("it has a column {name} more, NOT NULL and without a default"))
}
