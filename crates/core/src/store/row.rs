//! A record as a row of the `users` table.

use chrono::{DateTime, NaiveDateTime};

use crate::error::{Error, Part, Result};
use crate::record::{Key, Record};
use crate::user::{User, check_age};
use crate::version::Version;

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
    pub(super) name: String,
    pub(super) age: Option<i32>,
    pub(super) occupation: Option<String>,
    pub(super) version: i64,
    pub(super) deleted_at: Option<NaiveDateTime>,
}

impl Row {
    pub(super) fn from_record(record: &Record) -> Result<Row> {
        let user = match &record.body {
            Some(body) => {
                Some(User::from_body(body).map_err(|error| Error::refused(Part::Database, error))?)
            }
            None => None,
        };
        let deleted_at = match user {
            Some(_) => None,
            None => DateTime::from_timestamp_micros(record.version.to_i64())
                .map(|time| time.naive_utc()),
        };
        let (age, occupation) = user.map(|user| (user.age.into(), user.occupation)).unzip();
        Ok(Row {
            name: record.key.as_str().to_owned(),
            age,
            occupation,
            version: record.version.to_i64(),
            deleted_at,
        })
    }
}

/// The columns that a read selects: name, age, occupation, version, whether it
/// is a tombstone.
pub(super) type Selected = (String, Option<i32>, Option<String>, i64, bool);

pub(super) fn to_record((name, age, occupation, version, deleted): Selected) -> Result<Record> {
    let version = to_version(version)?;
    let key = Key::from(name.as_str());
    if deleted {
        return Ok(Record {
            key,
            version,
            body: None,
        });
    }
    let age = age.ok_or_else(|| unreadable("no age"))?;
    let age = check_age(age.into()).map_err(|_| unreadable("an age out of range"))?;
    let occupation = occupation.ok_or_else(|| unreadable("no occupation"))?;
    let user = User {
        name,
        age,
        occupation,
    };
    Ok(Record {
        key,
        version,
        body: Some(user.to_body()),
    })
}

/// The records of those rows that can be read: one bad row, which no service
/// has written, must not hide all the others.
pub(super) fn readable(rows: Vec<Selected>) -> Vec<Record> {
    let records = rows.into_iter().map(to_record);
    records
        .filter_map(|record| {
            record
                .inspect_err(|error| tracing::error!(%error, "a row is left out"))
                .ok()
        })
        .collect()
}

pub(super) fn to_version(number: i64) -> Result<Version> {
    Version::from_i64(number).ok_or_else(|| unreadable("a version out of range"))
}

/// Rows can be written past the services, so nothing about them is taken for granted.
fn unreadable(what: &str) -> Error {
    Error::corrupt(Part::Database, format!("a row of users has {what}"))
}
