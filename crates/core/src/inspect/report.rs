//! The findings as text and as JSON.

use std::fmt::Write as _;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::conclusion::{Conclusion, Reader};
use super::{CacheSaid, Findings, Said, Unread};
use crate::cache::Cached;
use crate::journal::Waiting;
use crate::model::version::Version;
use crate::store::inspect::{Stored, StoredValue};
use crate::telemetry::escape;

/// Everything that is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    name: String,
    cache: Part,
    #[serde(skip_serializing_if = "Option::is_none")]
    journal: Option<Part>,
    database: Part,
    reader: ReaderGets,
    agree: bool,
    conclusion: String,
}

/// One part.
#[derive(Debug, Default, Serialize)]
struct Part {
    at: String,
    is_read: bool,
    /// Why it was not read, or what is to be known about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<Held>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_s: Option<f64>,
    /// The version of a write that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_doubt_since: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<Held>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter: Option<Dead>,
}

/// A version, and its value.
#[derive(Debug, Serialize)]
struct Held {
    version: u64,
    time: String,
    age_s: f64,
    /// Nothing in a tombstone.
    value: Option<Value>,
    is_tombstone: bool,
}

#[derive(Debug, Serialize)]
struct Dead {
    #[serde(flatten)]
    held: Held,
    set_aside: String,
    is_held_back: bool,
    reason: String,
}

#[derive(Debug, Default, Serialize)]
struct ReaderGets {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    in_words: String,
}

impl Report {
    pub(crate) fn of(findings: &Findings, now: Version) -> Report {
        let conclusion = Conclusion::of(findings);
        let journal = findings.journal.as_ref();
        Report {
            name: findings.name.clone(),
            cache: cache(findings, now),
            journal: journal.map(|said| part_of_journal(&findings.journal_at, said, now)),
            database: database(findings, now),
            reader: ReaderGets::of(conclusion.reader),
            agree: conclusion.agree,
            conclusion: conclusion.sentence,
        }
    }

    pub(crate) fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        // Line ends are not within a text of JSON.
        let lines = text.lines().map(escape::controls);
        lines.fold(String::new(), |all, line| all + &line + "\n")
    }

    pub(crate) fn text(&self) -> String {
        let mut lines = vec![format!("name      {}", Value::from(self.name.as_str()))];
        lines.extend(self.cache.lines("cache"));
        if let Some(journal) = &self.journal {
            lines.extend(journal.lines("journal"));
        }
        lines.extend(self.database.lines("database"));
        lines.push(format!("{}; {}", self.reader.in_words, self.conclusion));
        let lines = lines.iter().map(|line| escape::controls(line));
        lines.fold(String::new(), |all, line| all + &line + "\n")
    }
}

fn cache(findings: &Findings, now: Version) -> Part {
    let at = findings.cache_at.clone();
    let cached = match &findings.cache {
        CacheSaid::InMemory => {
            return Part {
                at,
                reason: Some("it is in the memory of the service and ends with it".to_owned()),
                ..Part::default()
            };
        }
        CacheSaid::Shared(Err(unread)) => return Part::unread(at, unread),
        CacheSaid::Shared(Ok(cached)) => cached,
    };
    let part = Part {
        at,
        is_read: true,
        reason: findings
            .is_bypassed
            .then(|| "write-through bypasses it now".to_owned()),
        ..Part::default()
    };
    match cached {
        Cached::Unseeded => Part {
            state: Some("not in use in this run of Redis yet"),
            ..part
        },
        Cached::Nothing => Part {
            state: Some("nothing"),
            ..part
        },
        Cached::Filling => Part {
            state: Some("nothing yet: a reader is about to fill it"),
            ..part
        },
        Cached::Unknown => Part {
            state: Some("something of another program"),
            ..part
        },
        Cached::Held {
            version,
            body,
            expires_in,
            is_clean,
        } => Part {
            state: Some(match is_clean {
                true => "clean",
                false => "dirty",
            }),
            holds: Some(Held::of(*version, body.as_ref(), now)),
            expires_in_s: expires_in.map(|left| left.as_secs_f64()),
            ..part
        },
        Cached::InDoubt { since, before } => Part {
            state: Some("marked: a write is under way, or its outcome is unknown"),
            in_doubt_since: Some(since.get()),
            holds: before
                .as_ref()
                .map(|(version, body)| Held::of(*version, body.as_ref(), now)),
            ..part
        },
    }
}

fn part_of_journal(at: &str, said: &Said<Waiting>, now: Version) -> Part {
    let at = at.to_owned();
    let waiting = match said {
        Err(unread) => return Part::unread(at, unread),
        Ok(waiting) => waiting,
    };
    let entries = waiting.entries.iter();
    let letter = waiting.dead_letter.as_ref();
    Part {
        at,
        is_read: true,
        reason: (waiting.unreadable > 0)
            .then(|| "parts of it are unreadable, and may be of this name".to_owned()),
        state: Some(match waiting.entries.is_empty() {
            true => "nothing waits",
            false => "waiting, oldest first",
        }),
        waiting: entries
            .map(|entry| Held::of(entry.version, entry.body.as_ref(), now))
            .collect(),
        dead_letter: letter.map(|letter| Dead {
            held: Held::of(letter.record.version, letter.record.body.as_ref(), now),
            set_aside: letter.set_aside_at.to_rfc3339(),
            is_held_back: letter.held_back,
            reason: letter.reason.to_string(),
        }),
        ..Part::default()
    }
}

fn database(findings: &Findings, now: Version) -> Part {
    let at = findings.database_at.clone();
    let row = match &findings.row {
        Err(unread) => return Part::unread(at, unread),
        Ok(row) => row,
    };
    let part = Part {
        at,
        is_read: true,
        ..Part::default()
    };
    match row {
        None => Part {
            state: Some("no row"),
            reason: (findings.purged_through > Version::ZERO).then(|| {
                let through = findings.purged_through;
                format!("tombstones up to version {through} may have been removed")
            }),
            ..part
        },
        Some(Stored {
            version,
            value: StoredValue::Broken(rule),
        }) => Part {
            state: Some("a row that another program has broken"),
            reason: Some(rule.clone()),
            holds: Some(Held::of(*version, None, now)),
            ..part
        },
        Some(Stored {
            version,
            value: StoredValue::Body(body),
        }) => Part {
            state: Some("row"),
            holds: Some(Held::of(*version, body.as_ref(), now)),
            ..part
        },
    }
}

impl Part {
    fn unread(at: String, unread: &Unread) -> Part {
        Part {
            at,
            reason: Some(unread.reason.clone()),
            state: Some(match unread.is_in_use {
                true => "in use",
                false => "unavailable",
            }),
            ..Part::default()
        }
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let mut first = format!("{name:<9} {}", self.at);
        // Writing to a String cannot fail.
        if let Some(state) = &self.state {
            let _ = write!(first, ": {state}");
        }
        if let Some(since) = &self.in_doubt_since {
            let _ = write!(first, ", since version {since}");
        }
        if let Some(holds) = &self.holds {
            let _ = write!(first, ", {}", holds.in_words());
        }
        if let Some(left) = &self.expires_in_s {
            let _ = write!(first, ", expires in {left:.0} s");
        }
        if let Some(reason) = &self.reason {
            let _ = write!(first, " ({reason})");
        }
        let waiting = self.waiting.iter().enumerate();
        let waiting =
            waiting.map(|(place, held)| format!("  {:>6}. {}", place + 1, held.in_words()));
        let dead = self.dead_letter.as_ref().map(|dead| {
            let (
                held,
                Dead {
                    set_aside, reason, ..
                },
            ) = (dead.held.in_words(), dead);
            let what = match dead.is_held_back {
                true => "held back",
                false => "set aside",
            };
            format!("dead      {held}; {what} {set_aside}: {reason}")
        });
        [first].into_iter().chain(waiting).chain(dead).collect()
    }
}

impl Held {
    fn of(version: Version, body: Option<&Bytes>, now: Version) -> Held {
        Held {
            version: version.get(),
            time: version.to_rfc3339(),
            age_s: version.age_us(now) as f64 / 1e6,
            value: body.map(value),
            is_tombstone: body.is_none(),
        }
    }

    fn in_words(&self) -> String {
        let Held {
            version,
            time,
            age_s,
            value,
            ..
        } = self;
        let value = value
            .as_ref()
            .map_or("tombstone".to_owned(), Value::to_string);
        match version {
            0 => format!("version 0 (no service has written it): {value}"),
            _ => format!("version {version} ({time}, {age_s:.1} s ago): {value}"),
        }
    }
}

fn value(body: &Bytes) -> Value {
    let text = || Value::from(String::from_utf8_lossy(body));
    serde_json::from_slice(body).unwrap_or_else(|_| text())
}

impl ReaderGets {
    fn of(reader: Reader) -> ReaderGets {
        let only = |in_words: String| ReaderGets {
            in_words,
            ..ReaderGets::default()
        };
        match reader {
            Reader::Gets(version, body, from) => ReaderGets {
                version: Some(version.get()),
                in_words: format!(
                    "a reader gets {} (version {version}, from the {from})",
                    value(&body)
                ),
                value: Some(value(&body)),
            },
            Reader::NotFound => only("a reader gets 404".to_owned()),
            Reader::Fails(reason) => only(format!("a reader gets an error ({reason})")),
            Reader::Unknown(reason) => only(format!("what a reader gets is not known ({reason})")),
        }
    }
}
