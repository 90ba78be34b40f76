//! A record as a row of the `users` table.
//!
//! Other programs write rows too, so nothing about one that is read is taken for
//! granted. A live row that breaks a rule of users is *broken*: it cannot be answered
//! with, but it is there, and writes and deletes of its name replace it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime};
use diesel::Queryable;

use crate::error::{Error, Part, Result};
use crate::model::record::{Key, Record};
use crate::model::user::{BorrowedUser, User, check_age, check_name, check_occupation};
use crate::model::version::Version;
use crate::store::Loaded;
use crate::store::broken::{self, BrokenRow};

diesel::table! {
    users (id) {
        id -> BigInt,
        name -> Text,
        age -> Nullable<Integer>,
        occupation -> Nullable<Text>,
        version -> BigInt,
        deleted_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    users_identity (id) {
        id -> Integer,
        identity -> Text,
    }
}

/// The columns that a write sets.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: Key,
    pub(super) age: Option<i32>,
    pub(super) occupation: Option<String>,
    pub(super) version: i64,
    pub(super) deleted_at: Option<NaiveDateTime>,
}

impl Row {
    pub(super) fn from_record(record: &Record) -> Result<Row> {
        let user = match &record.body {
            Some(body) => Some(
                BorrowedUser::from_body(record.key.as_str(), body)
                    .map_err(|error| Error::refused(Part::Database, error))?,
            ),
            None => None,
        };
        let deleted_at = match user {
            Some(_) => None,
            None => DateTime::from_timestamp_micros(record.version.to_i64())
                .map(|time| time.naive_utc()),
        };
        let (age, occupation) = user
            .map(|user| (user.age.into(), user.occupation.into_owned()))
            .unzip();
        Ok(Row {
            name: record.key.clone(),
            age,
            occupation,
            version: record.version.to_i64(),
            deleted_at,
        })
    }
}

/// The columns that a read selects.
#[derive(Clone, Debug, Queryable)]
pub(super) struct Selected {
    id: i64,
    pub(super) name: String,
    age: Option<i32>,
    occupation: Option<String>,
    version: i64,
    deleted: bool,
}

/// The rows of `records`, in the order of their names. Statements of one order wait for each
/// other's locks without a deadlock.
///
/// # Errors
/// [`Error::Refused`] where one of them is no user.
pub(super) fn in_order(records: &[Record]) -> Result<Arc<[Row]>> {
    // Not collected: a collection that may fail begins small and is copied as it grows.
    let mut rows = Vec::with_capacity(records.len());
    for record in records {
        rows.push(Row::from_record(record)?);
    }
    rows.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(rows.into())
}

impl Selected {
    pub(super) fn version(&self) -> i64 {
        self.version
    }

    /// Its version is no service's: it counts as none.
    pub(super) fn disown_version(&mut self) {
        self.version = -1;
    }
}

/// The row's record. One that breaks a rule is reported.
///
/// # Errors
/// [`Error::BrokenRow`] for one that cannot be answered with.
pub(super) fn read(row: Selected) -> Result<Record> {
    let key = Key::from(row.name.as_str());
    let version = version_of(&row);
    if Version::from_i64(row.version).is_none() {
        broken::report(BrokenRow {
            id: row.id,
            field: "version",
            rule: "must be one that a service has issued; it counts as 0",
        });
    }
    let id = row.id;
    let body = match row.deleted {
        true => None,
        false => Some(user_of(row).map_err(|(field, rule)| {
            broken::report(BrokenRow { id, field, rule });
            Error::BrokenRow { field, rule }
        })?),
    };
    Ok(Record {
        key,
        version,
        body: body.map(|user| user.to_body()),
    })
}

fn user_of(row: Selected) -> std::result::Result<User, (&'static str, &'static str)> {
    let of = |field: &'static str| move |rule: &'static str| (field, rule);
    check_name(&row.name).map_err(of("name"))?;
    let age = row.age.ok_or(("age", "must not be NULL"))?;
    let age = check_age(age.into()).map_err(of("age"))?;
    let occupation = row.occupation.ok_or(("occupation", "must not be NULL"))?;
    check_occupation(&occupation).map_err(of("occupation"))?;
    Ok(User {
        name: row.name,
        age,
        occupation,
    })
}

/// What a condition on the row's key is judged by: a broken row is a value, too.
pub(super) fn judged(row: &Selected) -> Record {
    Record {
        key: key_of(row),
        version: version_of(row),
        body: (!row.deleted).then(Bytes::new),
    }
}

/// The records of `rows`, by the keys that they were found by.
pub(super) fn loaded(rows: Vec<Selected>) -> Loaded {
    let read = |row: Selected| (key_of(&row), self::read(row));
    rows.into_iter().map(read).collect()
}

/// The versions of `rows`, by the same keys.
pub(super) fn versions(rows: &[Selected]) -> HashMap<Key, Version> {
    rows.iter().map(versioned).collect()
}

/// Where the row stands among the writes of its key.
pub(super) fn versioned(row: &Selected) -> (Key, Version) {
    (key_of(row), version_of(row))
}

/// The key that the row was found by. MySQL finds a name that another program has
/// padded by the name without its padding.
fn key_of(row: &Selected) -> Key {
    Key::from(row.name.trim_end_matches(' '))
}

/// A version that no service can have issued counts as that of a row that none has
/// written: every write is newer. `Upsert` sees it in the same way.
fn version_of(row: &Selected) -> Version {
    Version::from_i64(row.version).unwrap_or(Version::ZERO)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::store) fn selected(
        id: i64,
        name: &str,
        age: Option<i32>,
        occupation: Option<&str>,
        deleted: bool,
    ) -> Selected {
        Selected {
            id,
            name: name.to_owned(),
            age,
            occupation: occupation.map(str::to_owned),
            version: 7,
            deleted,
        }
    }

    fn broken_field(row: Selected) -> &'static str {
        match read(row) {
            Err(Error::BrokenRow { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_rule_of_a_user_is_one_of_its_row() {
        let row = |name: &str, age, occupation| selected(1, name, age, occupation, false);
        assert!(read(row("a", Some(150), Some("x"))).is_ok());
        for name in ["", " a", "a ", "a\n", &"a".repeat(256)] {
            assert_eq!(broken_field(row(name, Some(30), Some("x"))), "name");
        }
        for age in [None, Some(-1), Some(151), Some(i32::MAX)] {
            assert_eq!(broken_field(row("a", age, Some("x"))), "age");
        }
        for occupation in [None, Some(""), Some("x".repeat(256).as_str())] {
            assert_eq!(broken_field(row("a", Some(30), occupation)), "occupation");
        }
    }

    #[test]
    fn a_tombstone_has_no_fields_to_break() {
        let row = selected(1, " ", None, None, true);
        assert_eq!(read(row).unwrap().body, None);
    }

    #[test]
    fn an_impossible_version_counts_as_none() {
        for version in [-1, i64::MIN, 1 << 53, i64::MAX] {
            let row = Selected {
                version,
                ..selected(1, "a", Some(30), Some("x"), false)
            };
            assert_eq!(versioned(&row), (Key::from("a"), Version::ZERO));
            assert_eq!(judged(&row).version, Version::ZERO);
            assert_eq!(read(row).unwrap().version, Version::ZERO);
        }
    }

    #[test]
    fn a_broken_row_is_judged_as_a_value() {
        assert!(judged(&selected(1, "a", None, None, false)).body.is_some());
        assert!(judged(&selected(1, "a", None, None, true)).body.is_none());
    }
}
