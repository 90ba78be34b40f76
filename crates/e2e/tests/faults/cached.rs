//! What the cache has, read from Redis past the service: the one place here that knows how it is kept.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::redis_connection::RedisConnection;
use testkit::servers::TestDatabase;

use crate::poison::POISON;
use crate::writers::number_of;

/// One name's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cached {
    pub(crate) version: u64,
    /// The write that it is of; `None` when it says that there is no such name.
    pub(crate) number: Option<u64>,
    /// Whether it holds what the database has too.
    pub(crate) is_clean: bool,
}

/// What there is under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Held(Cached),
    /// A reader is filling it, or was and has died: for a while no other reader will.
    BeingFilled,
}

/// The name that the service has for the time since the server was started.
fn run(redis: &mut RedisConnection) -> String {
    let run: Option<String> = redis
        .info("server", "run_id")
        .expect("what it says of itself");
    run.expect("a run id")[..12].to_owned()
}

/// Bytes in hexadecimal notation, as the names of keys have them.
fn in_base64url(bytes: &str) -> String {
    let bits = bytes.chars().flat_map(|digit| {
        let digit = digit.to_digit(16).expect("a hexadecimal digit");
        (0..4).rev().map(move |bit| digit >> bit & 1)
    });
    let bits: Vec<u32> = bits.collect();
    let digits = bits.chunks(6).map(|bits| {
        let value = bits.iter().fold(0, |value, bit| value << 1 | bit) << (6 - bits.len());
        let digits = ('A'..='Z')
            .chain('a'..='z')
            .chain('0'..='9')
            .chain(['-', '_']);
        digits
            .clone()
            .nth(value as usize)
            .expect("one of 64 digits")
    });
    digits.collect()
}

/// The record of a name and a body: form, age, occupation.
fn record(name: &str, body: &[u8]) -> Value {
    let [1, age, occupation @ ..] = body else {
        panic!("a body of another form: {body:?}");
    };
    let occupation = std::str::from_utf8(occupation).expect("an occupation in UTF-8");
    json!({ "name": name, "age": age, "occupation": occupation })
}

/// Every entry of this database's names.
pub(crate) fn entries(redis_url: &str, database: &TestDatabase) -> BTreeMap<String, Entry> {
    const VERSION_DIGITS: usize = 16;
    let identity = database.query_rows("SELECT identity FROM users_identity");
    let start = format!("wc{{{}:", in_base64url(&identity[0][0]));
    let mut redis = RedisConnection::open(redis_url).expect("Redis");
    // The cache was never bypassed, so the epoch is 0.
    let of_this_run = format!("}}{}0:", in_base64url(&run(&mut redis)));
    let keys: Vec<String> = redis.ask(&["KEYS", &format!("{start}*")]).expect("keys");
    let mut entries = BTreeMap::new();
    for key in keys {
        let Some((_, name)) = key.split_once(&of_this_run) else {
            continue;
        };
        // Its values are none of the workload's.
        if name == POISON {
            continue;
        }
        let entry: Option<Vec<u8>> = redis.ask(&["GET", &key]).expect("an entry");
        // It may have gone since.
        let Some(entry) = entry else { continue };
        let (version, rest) = entry.split_at(VERSION_DIGITS);
        let (state, body) = rest.split_at(1);
        if state == b"F" {
            entries.insert(name.to_owned(), Entry::BeingFilled);
            continue;
        }
        let number = (!body.is_empty()).then(|| {
            let record = record(name, body);
            number_of(name, &record).unwrap_or_else(|| panic!("no client wrote {record}"))
        });
        let left_ms: i64 = redis.ask(&["PTTL", &key]).expect("its lifetime");
        // Negative if it has no expiry.
        let expires = left_ms >= 0;
        let cached = Cached {
            version: String::from_utf8_lossy(version).parse().expect("a version"),
            number,
            is_clean: state == b"C" || expires,
        };
        entries.insert(name.to_owned(), Entry::Held(cached));
    }
    entries
}
