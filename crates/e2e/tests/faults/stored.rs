//! What the database has.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::http::Client;
use testkit::servers::TestDatabase;

use crate::writers::number_of;

/// One name's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The write that it is of; `None` for a tombstone.
    pub(crate) number: Option<u64>,
    /// Where it can be seen.
    pub(crate) version: Option<u64>,
}

/// Every row, by name.
pub(crate) fn rows(database: &TestDatabase) -> BTreeMap<String, Stored> {
    let sql = "SELECT name, age, occupation, version, deleted_at IS NOT NULL FROM users";
    let rows = database.query_rows(sql).into_iter().map(|row| {
        let [name, age, occupation, version, is_deleted] = row.try_into().expect("five columns");
        let number = match is_deleted.as_str() {
            "0" => {
                let age: u64 = age.parse().expect("an age");
                let row = json!({ "name": name, "age": age, "occupation": occupation });
                Some(number_of(&name, &row).unwrap_or_else(|| panic!("no client wrote {row}")))
            }
            _ => {
                assert_eq!((age.as_str(), occupation.as_str()), ("NULL", "NULL"));
                None
            }
        };
        let version = Some(version.parse().expect("a version"));
        (name, Stored { number, version })
    });
    rows.collect()
}

/// Every live row, as the service's own pages have them, which come from the database.
pub(crate) fn pages(client: &Client) -> BTreeMap<String, Stored> {
    let page = client.get("/users?limit=1000").json();
    assert_eq!(page["next"], Value::Null, "more than one page");
    let users = page["users"].as_array().expect("users").iter();
    let users = users.map(|user| {
        let name = user["name"].as_str().expect("a name").to_owned();
        let number = number_of(&name, user);
        assert!(number.is_some(), "no client wrote {user}");
        (
            name,
            Stored {
                number,
                version: None,
            },
        )
    });
    users.collect()
}
