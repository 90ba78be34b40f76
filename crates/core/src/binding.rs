//! Which database a Redis belongs to. The same Redis must serve neither a copy of that
//! database nor an older state of it. `docs/design/binding.md` has the reasoning.
//!
//! A *binding* is a token and a place. The database keeps the token, and Redis keeps the
//! token and the place. A copy has the token and another place; a database that was left
//! behind by a move has the place and another token.

mod place;
mod served_by;
mod words;

pub use place::{Likeness, Place};
pub use served_by::{CacheSite, Kinship, ServedBy};
pub use words::{in_memory_in_words, in_words};

use std::fmt;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::version::Version;

/// What follows the token where the bodies of records are packed. A later form of bodies will have
/// another number.
const PACKED: &str = "+1";

/// What a database reports about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The name under which the database's data is cached.
    pub identity: String,
    /// What the database shares with the Redis that it is bound to.
    pub token: String,
    /// The token before the present one; empty if there was none. After a crash in the middle
    /// of a move Redis still has this one.
    pub previous: String,
    /// Where the database is.
    pub place: Place,
    /// The newest version that the database is known to have had.
    pub newest: Version,
    /// The Redis that serves the database, in its stored form; empty if none is noted.
    pub served_by: String,
    /// Over how many shards the data is spread in Redis.
    pub shards: u16,
}

impl Bound {
    /// The binding that Redis must have, in its stored form.
    pub fn binding(&self) -> String {
        let binding = Binding {
            token: self.token.clone(),
            shards: Some(self.shards),
            is_packed: true,
            place: self.place.clone(),
        };
        binding.to_string()
    }

    /// The Redis that is noted as serving the database. In a copy of the database, the Redis of the
    /// original does not count.
    pub fn noted(&self) -> Option<ServedBy> {
        let noted = ServedBy::parse(&self.served_by)?;
        (noted.place.likeness(&self.place) != Likeness::Other).then_some(noted)
    }

    /// How the Redis that was found compares with the noted Redis.
    pub fn kinship(&self, found: &Found) -> Kinship {
        ServedBy::kinship(self.noted().as_ref(), &found.cache)
    }
}

/// What Redis knows of the databases with one identity.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The binding in its stored form; empty if there is none.
    pub stored: String,
    /// The places that other live processes have registered.
    pub others: Vec<Place>,
    /// The watermark: the newest version that Redis knows to be committed in the database.
    pub committed: Version,
    /// The number of journal entries and dead letters.
    pub waiting: u64,
    /// The number of journal entries and dead letters under the names of an older version.
    pub left: u64,
    /// Which Redis was found.
    pub cache: CacheSite,
}

/// A binding as Redis stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The token.
    pub token: String,
    /// Over how many shards the data is spread. `None` if an older version has bound database and
    /// Redis: such a program uses 16 shards.
    pub shards: Option<u16>,
    /// Whether the bodies of records have the present form; false if an older version has bound
    /// database and Redis. This program also reads the older form. The older version does not read
    /// the present form.
    pub is_packed: bool,
    /// The place.
    pub place: Place,
}

impl Binding {
    /// Whether an older version has bound database and Redis.
    pub fn is_of_older(&self) -> bool {
        self.shards.is_none() || !self.is_packed
    }

    /// Reads the stored form. `None` for a text that is no binding, such as an empty one.
    pub fn parse(text: &str) -> Option<Binding> {
        let (name, place) = text.split_once(' ')?;
        let (token, shards) = match name.split_once('/') {
            Some((token, shards)) => (token, Some(shards.parse().ok()?)),
            None => (name, None),
        };
        let (token, is_packed) = match token.strip_suffix(PACKED) {
            Some(token) => (token, true),
            None => (token, false),
        };
        Some(Binding {
            token: token.to_owned(),
            shards,
            is_packed,
            place: Place::parse(place)?,
        })
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // IMPORTANT: no version of the program takes the binding of another version for its own. An
        // older one finds another token here, so it neither starts beside this one nor goes on.
        formatter.write_str(&self.token)?;
        if self.is_packed {
            formatter.write_str(PACKED)?;
        }
        if let Some(shards) = self.shards {
            write!(formatter, "/{shards}")?;
        }
        write!(formatter, " {}", self.place.encode())
    }
}

/// Whether a database may be served by a Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Database and Redis are bound to each other.
    Holds,
    /// Database and Redis may be bound: there is no binding, or the database has moved.
    Binds,
    /// Database and Redis may be bound unless a process objects. Redis is empty. It is the noted
    /// Redis, restarted, or another Redis at the same address.
    Takes,
    /// This process waits for objections to [`Verdict::Takes`].
    Contends,
    /// The database is served by the Redis at this address.
    Elsewhere(String),
    /// Live processes serve the database at this other place.
    Served(Place),
    /// Redis has since been bound to another copy of the database, at this place.
    Rebound(Place),
    /// The data is spread over `in_use` shards, and the database states another number.
    Resharded {
        /// The number of shards that Redis, or this process, uses.
        in_use: u16,
        /// The number of shards that the database states.
        stated: u16,
    },
    /// Live processes of an older version serve the database.
    ServedByOlder,
    /// This many entries wait under the names of an older version.
    Undrained(u64),
    /// The database lacks versions that it had committed.
    Older,
    /// The database was at this place, no process is alive, and this many entries wait.
    Waiting(Place, u64),
}

/// Judges whether the Redis that was `found` may serve the database `mine`. `kinship` compares that
/// Redis with the noted one. `is_running` says that this process was bound before: then a database
/// that moves takes its waiting entries along.
pub fn judge(mine: &Bound, found: &Found, kinship: Kinship, is_running: bool) -> Verdict {
    let elsewhere = || {
        let noted = ServedBy::parse(&mine.served_by);
        let noted = noted.map(|noted| noted.cache.to_string());
        Verdict::Elsewhere(noted.unwrap_or_default())
    };
    let Some(bound) = Binding::parse(&found.stored) else {
        return match kinship {
            Kinship::Other => elsewhere(),
            // The binding may have been removed by hand.
            _ if found.left > 0 => Verdict::Undrained(found.left),
            Kinship::Unnoted | Kinship::Same => Verdict::Binds,
            Kinship::Restarted => Verdict::Takes,
        };
    };
    if bound.token != mine.token && bound.token != mine.previous {
        return Verdict::Rebound(bound.place);
    }
    if let Some(refused) = used_otherwise(&bound, mine, found) {
        return refused;
    }
    // Redis has the previous token: a move was cut short, or this Redis was left behind.
    if bound.token != mine.token && matches!(kinship, Kinship::Restarted | Kinship::Other) {
        return elsewhere();
    }
    if mine.newest < found.committed {
        return Verdict::Older;
    }
    if let Some(other) = found.others.iter().find(|other| **other != mine.place) {
        return Verdict::Served(other.clone());
    }
    match mine.place.likeness(&bound.place) {
        Likeness::Same if bound.token == mine.token && !bound.is_of_older() => Verdict::Holds,
        Likeness::Other if found.waiting > 0 && !is_running => {
            Verdict::Waiting(bound.place, found.waiting)
        }
        _ => Verdict::Binds,
    }
}

/// Returns a verdict if the data is spread over another number of shards than the database states,
/// if live processes of an older version use it, or if entries of an older version wait.
pub fn used_otherwise(bound: &Binding, mine: &Bound, found: &Found) -> Option<Verdict> {
    match bound.shards {
        Some(in_use) if in_use != mine.shards => Some(Verdict::Resharded {
            in_use,
            stated: mine.shards,
        }),
        _ if bound.is_of_older() && !found.others.is_empty() => Some(Verdict::ServedByOlder),
        Some(_) => None,
        None => (found.left > 0).then_some(Verdict::Undrained(found.left)),
    }
}

/// The database's part in the binding.
#[async_trait]
pub trait BindingStore: fmt::Debug + Send + Sync + 'static {
    /// Asks the database what it reports about itself.
    ///
    /// # Errors
    /// When the database is unavailable.
    async fn bound(&self) -> Result<Bound>;

    /// Replaces the token by `to`, if it is `from`. Returns whether it was.
    ///
    /// # Errors
    /// When the database is unavailable. The token may be replaced or not then.
    async fn exchange(&self, from: &str, to: &str) -> Result<bool>;

    /// Notes that the Redis `to` serves the database, if `from` is noted. Returns whether it was.
    ///
    /// # Errors
    /// When the database is unavailable. The Redis may be noted or not then.
    async fn note_cache(&self, from: &str, to: &str) -> Result<bool>;

    /// Notes that the database has had this version.
    ///
    /// # Errors
    /// When the database is unavailable.
    async fn note_newest(&self, newest: Version) -> Result<()>;

    /// Gives the database another identity and token. Forgets the processes that used its cache.
    ///
    /// # Errors
    /// When the database is unavailable.
    async fn renew_identity(&self) -> Result<()>;

    /// Begins an epoch of the cache after `epoch` and after the database's own, so that nothing
    /// that was cached before is used again. Forgets the processes that used the cache. The rows of
    /// processes that rely on it for good stay, since entries may still wait in the journal.
    ///
    /// # Errors
    /// When the database is unavailable.
    async fn begin_epoch_after(&self, epoch: u64) -> Result<()>;
}

/// A token that no other database has.
pub fn new_token() -> String {
    format!("{:016x}", fastrand::u64(..))
}

#[cfg(test)]
mod tests;
