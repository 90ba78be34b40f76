//! Which value a reader gets, and whether the parts agree or what follows.

use bytes::Bytes;
use serde_json::Value;

use super::{CacheSaid, Findings, Said, Unread};
use crate::cache::Cached;
use crate::model::dead_letter::DeadLetter;
use crate::model::version::Version;
use crate::store::inspect::{Stored, StoredValue};

/// A version of the name and its body; `None` is a tombstone.
type Versioned = (Version, Option<Bytes>);

/// What a reader gets now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// This value, from that part.
    Gets(Version, Bytes, &'static str),
    /// An answer that there is no such user.
    NotFound,
    /// An error, for this reason.
    Fails(String),
    /// That is not known, for this reason.
    Unknown(&'static str),
}

/// What follows from the findings.
#[derive(Debug)]
pub(super) struct Conclusion {
    pub(super) reader: Reader,
    pub(super) agree: bool,
    pub(super) sentence: String,
}

impl Conclusion {
    pub(super) fn of(findings: &Findings) -> Conclusion {
        let (agree, sentence) = what_follows(findings);
        Conclusion {
            reader: reader(findings),
            agree,
            sentence,
        }
    }
}

/// The newest entry that waits.
fn waiting(findings: &Findings) -> Option<Versioned> {
    let waiting = findings.journal.as_ref()?.as_ref().ok()?;
    let newest = waiting.entries.iter().max_by_key(|entry| entry.version)?;
    Some((newest.version, newest.body.clone()))
}

fn letter(findings: &Findings) -> Option<&DeadLetter> {
    let waiting = findings.journal.as_ref()?.as_ref().ok()?;
    waiting.dead_letter.as_ref()
}

fn dead(findings: &Findings) -> Option<Versioned> {
    let letter = letter(findings)?;
    Some((letter.record.version, letter.record.body.clone()))
}

fn gets((version, body): Versioned, from: &'static str) -> Reader {
    match body {
        Some(body) => Reader::Gets(version, body, from),
        None => Reader::NotFound,
    }
}

fn reader(findings: &Findings) -> Reader {
    let cached = match &findings.cache {
        _ if findings.is_bypassed => return of_database(&findings.row),
        CacheSaid::InMemory => return of_memory(findings),
        CacheSaid::Shared(Ok(cached)) => cached,
        CacheSaid::Shared(Err(_)) if findings.may_bypass => return of_database(&findings.row),
        CacheSaid::Shared(Err(Unread { reason, .. })) => return Reader::Fails(reason.clone()),
    };
    match cached {
        Cached::Held { version, body, .. } => gets((*version, body.clone()), "cache"),
        Cached::InDoubt {
            before: Some(before),
            ..
        } => match &findings.row {
            Ok(Some(Stored { version, .. })) if *version >= before.0 => of_database(&findings.row),
            _ => gets(before.clone(), "cache"),
        },
        Cached::InDoubt { before: None, .. }
        | Cached::Nothing
        | Cached::Filling
        | Cached::Unknown => of_database(&findings.row),
        // The journal is cached again before anything is read.
        Cached::Unseeded => newest_of_both(findings),
    }
}

/// The memory cache has what the journal has. What it has cached besides is not known.
fn of_memory(findings: &Findings) -> Reader {
    let is_running = |said: Option<&Unread>| said.is_some_and(|unread| unread.is_in_use);
    let journal = findings
        .journal
        .as_ref()
        .and_then(|said| said.as_ref().err());
    if is_running(journal) || is_running(findings.row.as_ref().err()) {
        return Reader::Unknown("a running service has the cache in its memory");
    }
    newest_of_both(findings)
}

fn newest_of_both(findings: &Findings) -> Reader {
    let newest = waiting(findings).into_iter().chain(dead(findings));
    let newest = newest.max_by_key(|(version, _)| *version);
    match (newest, &findings.row) {
        (Some(newest), Ok(Some(stored))) if newest.0 > stored.version => gets(newest, "journal"),
        (Some(newest), Ok(None) | Err(_)) => gets(newest, "journal"),
        _ => of_database(&findings.row),
    }
}

fn of_database(row: &Said<Option<Stored>>) -> Reader {
    match row {
        Err(Unread {
            is_in_use: true, ..
        }) => Reader::Unknown("a service has the database open"),
        Err(Unread { reason, .. }) => Reader::Fails(reason.clone()),
        Ok(None) => Reader::NotFound,
        Ok(Some(Stored {
            value: StoredValue::Broken(rule),
            ..
        })) => Reader::Fails(format!("the row breaks a rule: {rule}")),
        Ok(Some(Stored {
            version,
            value: StoredValue::Body(body),
        })) => gets((*version, body.clone()), "database"),
    }
}

/// Whether the parts agree, and what follows where they do not.
fn what_follows(findings: &Findings) -> (bool, String) {
    let waiting = waiting(findings);
    let stored = match &findings.row {
        Err(_) => return (false, without_the_database(findings, waiting)),
        Ok(stored) => stored.as_ref(),
    };
    let in_database = stored.map_or(Version::ZERO, |stored| stored.version);
    let database_has = match stored {
        None => "the database has nothing".to_owned(),
        Some(_) => format!("the database has version {in_database}"),
    };
    if let Some((version, _)) = waiting {
        return (
            false,
            match version > in_database {
                true => format!(
                    "the journal has a newer write (version {version}) and {database_has}, which gets it when the \
                 journal is drained"
                ),
                false => {
                    "what waits in the journal is in the database, and is about to be acknowledged"
                        .to_owned()
                }
            },
        );
    }
    if let Some(Err(Unread { is_in_use, .. })) = &findings.journal {
        let why = match is_in_use {
            true => "in use",
            false => "unavailable",
        };
        return (
            false,
            format!("the journal is {why}, so it may have a newer write than the database"),
        );
    }
    let newer = letter(findings).filter(|letter| letter.record.version > in_database);
    if let Some(letter) = newer {
        let version = letter.record.version;
        let what_next = match letter.held_back {
            true => "which is held back until there is room among the dead letters, and is retried",
            false => "which is among the dead letters: replay or delete it",
        };
        return (
            false,
            format!("the database has refused version {version}, {what_next}"),
        );
    }
    with_the_cache(findings, stored, in_database)
}

fn without_the_database(findings: &Findings, waiting: Option<Versioned>) -> String {
    let is_in_use = findings.row.as_ref().is_err_and(|unread| unread.is_in_use);
    match waiting {
        Some((version, _)) if !is_in_use => format!(
            "the journal has a write (version {version}), which the database gets when it is available"
        ),
        Some((version, _)) => format!("the journal has a write (version {version})"),
        None if is_in_use => {
            "a running service has the database open, so whether the parts agree is not known"
                .to_owned()
        }
        None => "the database is unavailable, so whether the parts agree is not known".to_owned(),
    }
}

/// Nothing waits. What the cache says against the database.
fn with_the_cache(
    findings: &Findings,
    stored: Option<&Stored>,
    in_database: Version,
) -> (bool, String) {
    let cached = match &findings.cache {
        _ if findings.is_bypassed => return (true, "the cache is bypassed now".to_owned()),
        CacheSaid::InMemory => {
            return (
                true,
                "nothing waits, and the database has it all".to_owned(),
            );
        }
        CacheSaid::Shared(Err(_)) => {
            return (
                false,
                "the cache is unavailable, so whether it agrees is not known".to_owned(),
            );
        }
        CacheSaid::Shared(Ok(cached)) => cached,
    };
    match cached {
        Cached::Held {
            version,
            body,
            is_clean,
            ..
        } => match version.cmp(&in_database) {
            std::cmp::Ordering::Equal => same_version(stored, body.as_ref(), *version),
            std::cmp::Ordering::Less => (
                false,
                format!(
                    "the database has a newer version ({in_database}) than the cache ({version}): look again, \
                     and if that stays, another program has written it; DELETE /cache/users/NAME forgets the \
                     cached one"
                ),
            ),
            std::cmp::Ordering::Greater if stored.is_none() && body.is_none() => (
                true,
                "all parts agree that there is no such user".to_owned(),
            ),
            std::cmp::Ordering::Greater if *is_clean => (
                false,
                format!(
                    "the cache has a newer version ({version}) than the database ({in_database}), which no part \
                     brings there: another program has changed or restored the database"
                ),
            ),
            std::cmp::Ordering::Greater => (
                false,
                format!(
                    "only the cache has version {version}: look again, and if that stays, the journal has lost it"
                ),
            ),
        },
        Cached::InDoubt { since, .. } => (
            false,
            format!(
                "a write at version {since} is under way, or its outcome is unknown, so readers ask the database"
            ),
        ),
        Cached::Unknown => (
            false,
            "another program has put something into the cache, which counts as nothing".to_owned(),
        ),
        Cached::Unseeded => (
            true,
            "nothing waits, and the cache is not in use in this run of Redis yet".to_owned(),
        ),
        Cached::Nothing | Cached::Filling => match stored {
            None => (true, "no part has anything of this name".to_owned()),
            Some(_) => (
                true,
                "nothing waits and nothing is cached, so only the database counts".to_owned(),
            ),
        },
    }
}

fn same_version(stored: Option<&Stored>, body: Option<&Bytes>, version: Version) -> (bool, String) {
    let of_row = match stored.map(|stored| &stored.value) {
        Some(StoredValue::Body(body)) => body.as_ref(),
        Some(StoredValue::Broken(_)) => {
            return (
                false,
                "another program has broken the row in the database".to_owned(),
            );
        }
        None => None,
    };
    let meaning =
        |body: Option<&Bytes>| body.map(|body| serde_json::from_slice::<Value>(body).ok());
    match meaning(of_row) == meaning(body) {
        true => (true, format!("all parts agree on version {version}")),
        false => (
            false,
            format!(
                "another program has changed the row in the database at the same version ({version}); DELETE \
                 /cache/users/NAME forgets the cached one"
            ),
        ),
    }
}
