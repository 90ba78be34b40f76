//! After all is mended: the API, the cache and the database say the same, and it is what the ledger knows.

use std::collections::BTreeMap;

use testkit::http::{Client, user_path};
use testkit::parts::Installation;

use crate::cached::Entry;
use crate::ledger::{Ledger, Seen};
use crate::readers::seen;
use crate::stored::Stored;
use crate::{cached, stored};
use testkit::wait::wait_until;

/// Waits until the database has all that was acknowledged.
#[track_caller]
pub(crate) fn flush(base_url: &str) {
    let client = Client::new(base_url);
    wait_until("a flush", || {
        let answer = client.try_request("POST", "/flush?timeout_s=30", &[], None);
        answer.is_ok_and(|answer| answer.status == 200)
    });
}

/// Waits until all that was drained before has left the cache, by its expiry.
#[track_caller]
pub(crate) fn wait_until_the_cache_is_empty(installation: &Installation) {
    let database = installation.database().expect("a server");
    let redis = installation.setting("CACHE_URL").expect("a cache");
    wait_until("the cache is empty", || {
        cached::entries(redis, database).is_empty()
    });
}

/// Flushes, and compares every name. No other client may be writing.
#[track_caller]
pub(crate) fn compare(ledger: &Ledger, base_url: &str, installation: &Installation) {
    flush(base_url);
    let client = Client::new(base_url);
    let database = installation.database();
    let rows = match database {
        Some(database) => stored::rows(database),
        None => stored::pages(&client),
    };
    let mut read: Vec<Option<Read>> = (0..ledger.names().len())
        .map(|name| read_from_cache(ledger, &client, name))
        .collect();
    let mut entries = entries(installation);
    if let Some(entries) = &mut entries {
        read_expired_again(ledger, &client, installation, &mut read, entries);
    }

    for (number, name) in ledger.names().iter().enumerate() {
        // One that could not be read has offended already.
        let Some(read) = read[number] else { continue };
        let row = rows.get(name).copied();
        let entry = entries.as_ref().map(|entries| entries.get(name).copied());
        let mut agree = is_stored(read.seen, row) && is_cached(read, row, entry);
        if database.is_some() {
            let version = row.and_then(|row| row.version).unwrap_or_default();
            agree &= version >= ledger.version(number);
        }
        if !agree {
            ledger.offends(format!(
                "{name}: the API has {read:?}, the database {row:?}, the cache {entry:?}"
            ));
        }
    }
    ledger.expect_no_offence();
}

/// What a Redis has of each name. `None` for a cache inside the service, which a test cannot inspect.
fn entries(installation: &Installation) -> Option<BTreeMap<String, Entry>> {
    let cache = installation.setting("CACHE_URL").unwrap_or_default();
    let database = installation.database()?;
    cache
        .starts_with("redis")
        .then(|| cached::entries(cache, database))
}

/// An entry that was there before may have expired between its read and the look at all entries. One that is
/// read again is new.
fn read_expired_again(
    ledger: &Ledger,
    client: &Client,
    installation: &Installation,
    read: &mut [Option<Read>],
    found: &mut BTreeMap<String, Entry>,
) {
    let names = ledger.names();
    let is_expired = |number: &usize| {
        read[*number].is_some_and(|read| read.is_hit) && !found.contains_key(&names[*number])
    };
    let expired: Vec<usize> = (0..names.len()).filter(is_expired).collect();
    for number in &expired {
        read[*number] = read_from_cache(ledger, client, *number);
    }
    if expired.is_empty() {
        return;
    }
    let mut now = entries(installation).unwrap_or_default();
    for number in expired {
        if let Some(entry) = now.remove(&names[number]) {
            found.insert(names[number].clone(), entry);
        }
    }
}

fn is_stored(seen: Seen, row: Option<Stored>) -> bool {
    let row_number = row.and_then(|row| row.number);
    match seen {
        Seen::Nothing => row_number.is_none(),
        Seen::Value { number, version } => {
            let row_version = row.and_then(|row| row.version);
            row_number == Some(number) && row_version.is_none_or(|row| row == version)
        }
    }
}

/// `entry` is `None` for a cache inside the service, which a test cannot inspect.
fn is_cached(read: Read, row: Option<Stored>, entry: Option<Option<Entry>>) -> bool {
    match entry {
        None => read.is_hit,
        Some(None | Some(Entry::BeingFilled)) => !read.is_hit,
        Some(Some(Entry::Held(entry))) => {
            let number = match read.seen {
                Seen::Nothing => None,
                Seen::Value { number, .. } => Some(number),
            };
            let version = row.and_then(|row| row.version).unwrap_or_default();
            entry.is_clean && entry.number == number && entry.version == version
        }
    }
}

/// What a name has.
#[derive(Clone, Copy, Debug)]
struct Read {
    seen: Seen,
    /// Whether it came from the cache.
    is_hit: bool,
}

/// Reads a name until it comes from the cache, which it does at the second time, unless a reader that died
/// still counts as filling it.
fn read_from_cache(ledger: &Ledger, client: &Client, name: usize) -> Option<Read> {
    let text = &ledger.names()[name];
    let mut last: Option<Read> = None;
    for _ in 0..2 {
        let before = ledger.read_begins(name);
        let answer = client.get(&user_path(text));
        let Some(seen) = seen(ledger, text, &answer) else {
            ledger.offends(format!("{text}: a read was answered {}", answer.status));
            return None;
        };
        ledger.read_ended(name, before, seen);
        let status = answer.header("Cache-Status");
        let is_hit = status.is_some_and(|status| status.ends_with("; hit"));
        let read = Read { seen, is_hit };
        if let Some(last) = last.filter(|last| last.seen != seen) {
            ledger.offends(format!("{text}: {last:?} was read, and then {read:?}"));
        }
        last = Some(read);
        if is_hit {
            break;
        }
    }
    last
}
