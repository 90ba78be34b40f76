//! `If-Match` and `If-None-Match` (RFC 9110, section 13): what must hold of a
//! user for a call to do what it does.
//!
//! A user's entity tag is its version in decimal digits. Any other tag is legal
//! and matches none.

use std::future::Future;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use cache_core::engine::{Durability, Engine, Outcome};
use cache_core::error::Error;
use cache_core::model::record::{Condition, Record, Write};
use cache_core::model::version::Version;
use futures_util::future::{Either, FutureExt as _};

use crate::durability::{RequestedDurability, written};
use crate::problem::Problem;

/// Most entity tags in one header.
pub const TAGS_MAX: usize = 32;
/// How often a write is tried whose condition is one on what was read. Each try
/// fails only where another write of the name came in between.
const TRIES_MAX: u32 = 25;

/// The preconditions of one request; none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

/// What a header lists, as versions: those of its tags that are one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    Any,
    Of(Vec<Version>),
}

impl Tags {
    /// Whether an existing user at `version` is among them.
    fn have(&self, version: Version) -> bool {
        match self {
            Tags::Any => true,
            Tags::Of(versions) => versions.contains(&version),
        }
    }
}

/// Both headers in one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Demand {
    That(Condition),
    /// A value at none of these versions.
    Another(Vec<Version>),
}

/// What the preconditions of a read say about a user that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadVerdict {
    /// Answer with it.
    Holds,
    /// The client has it already: `304`.
    NotModified,
    /// It is not the one that the client wants: `412`.
    Failed,
}

impl Preconditions {
    /// Reads both headers. Several lines of one are one list.
    ///
    /// # Errors
    /// `400` for what is neither `*` nor a list of one to [`TAGS_MAX`] entity
    /// tags (RFC 9110, sections 8.8.3 and 13.1).
    pub fn of(request: &HttpRequest) -> Result<Preconditions, Problem> {
        Ok(Preconditions {
            // A weak tag says that two are alike, and a strong comparison asks
            // whether they are the same.
            if_match: tags(request, &IF_MATCH, |tag| !tag.is_weak)?,
            if_none_match: tags(request, &IF_NONE_MATCH, |_| true)?,
        })
    }

    /// Judges a read that found a user at `version` (RFC 9110, section 13.2.2).
    pub fn of_read(&self, version: Version) -> ReadVerdict {
        if self
            .if_match
            .as_ref()
            .is_some_and(|tags| !tags.have(version))
        {
            return ReadVerdict::Failed;
        }
        match &self.if_none_match {
            Some(tags) if tags.have(version) => ReadVerdict::NotModified,
            _ => ReadVerdict::Holds,
        }
    }

    /// Writes if they hold, judged with the write in one step; a write's own
    /// condition must hold as well. Returns its version and how safe it is.
    ///
    /// # Errors
    /// As [`RequestedDurability::write`]. `412` when they do not hold, and `404` for a delete
    /// without `If-Match` that finds no user.
    pub fn write(
        self,
        engine: &dyn Engine,
        wanted: RequestedDurability,
        write: Write,
    ) -> impl Future<Output = Result<(Version, Durability), Problem>> {
        // Most writes have none and wait for nothing more, so these have a small future.
        if self == Preconditions::default()
            && wanted.persisted_within().is_none()
            && write.condition == Condition::Always
        {
            Either::Left(engine.write(write).map(written))
        } else {
            Either::Right(Box::pin(self.write_if(engine, wanted, write)))
        }
    }

    async fn write_if(
        self,
        engine: &dyn Engine,
        wanted: RequestedDurability,
        write: Write,
    ) -> Result<(Version, Durability), Problem> {
        let key = write.key.clone();
        let must_exist = write.condition == Condition::Exists;
        let outcome = match self.demand(must_exist) {
            Demand::That(condition) => {
                let write = Write { condition, ..write };
                wanted.write(engine, write).await?
            }
            Demand::Another(than) => replace_another(engine, wanted, write, &than).await?,
        };
        if let Outcome::Written {
            version,
            durability,
        } = outcome
        {
            return Ok((version, durability));
        }
        let is_missed = match (&self.if_match, &self.if_none_match) {
            (None, None) => true,
            (None, Some(_)) if must_exist => {
                let read = engine.read(&key).await;
                let read = read.map_err(|error| Problem::of_read(&error))?;
                read.record.body.is_none()
            }
            _ => false,
        };
        Err(match is_missed {
            true => Problem::no_such_user(),
            false => Problem::precondition_failed(),
        })
    }

    fn demand(&self, must_exist: bool) -> Demand {
        let if_match = match &self.if_match {
            None if must_exist => Some(&Tags::Any),
            if_match => if_match.as_ref(),
        };
        let condition = match (if_match, &self.if_none_match) {
            (None, None) => Condition::Always,
            (None, Some(Tags::Any)) => Condition::Absent,
            (None, Some(Tags::Of(unwanted))) => Condition::IsNot(unwanted.as_slice().into()),
            (Some(Tags::Any), None) => Condition::Exists,
            (Some(Tags::Of(wanted)), None) => Condition::Is(wanted.as_slice().into()),
            // To exist and not to exist is what nothing does.
            (Some(_), Some(Tags::Any)) => Condition::Is([].into()),
            (Some(Tags::Of(wanted)), Some(Tags::Of(unwanted))) => {
                let wanted = wanted.iter().filter(|tag| !unwanted.contains(tag));
                Condition::Is(wanted.copied().collect())
            }
            (Some(Tags::Any), Some(Tags::Of(unwanted))) => {
                return Demand::Another(unwanted.clone());
            }
        };
        Demand::That(condition)
    }
}

/// Writes where there is a value at none of the versions `than`: at the one that
/// is read, if it is still that when it is written.
async fn replace_another(
    engine: &dyn Engine,
    wanted: RequestedDurability,
    write: Write,
    than: &[Version],
) -> Result<Outcome, Problem> {
    for _ in 0..TRIES_MAX {
        let read = engine.read(&write.key).await;
        let Record { version, body, .. } = read.map_err(|error| Problem::of_read(&error))?.record;
        if body.is_none() || than.contains(&version) {
            return Ok(Outcome::ConditionFailed);
        }
        let write = Write {
            condition: Condition::Is([version].into()),
            ..write.clone()
        };
        match wanted.write(engine, write).await? {
            Outcome::ConditionFailed => {}
            written => return Ok(written),
        }
    }
    Err(Problem::of_write(&Error::Undecided))
}

/// An entity tag (RFC 9110, section 8.8.3), without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct EntityTag<'a> {
    is_weak: bool,
    opaque: &'a [u8],
}

impl EntityTag<'_> {
    /// `None` for a tag that no user ever has: `"007"` is not `"7"`.
    fn version(&self) -> Option<Version> {
        let text = str::from_utf8(self.opaque).ok()?;
        let version = text.parse().ok().and_then(Version::new)?;
        (version.to_string() == text).then_some(version)
    }
}

fn tags(
    request: &HttpRequest,
    header: &HeaderName,
    may_match: impl Fn(&EntityTag<'_>) -> bool,
) -> Result<Option<Tags>, Problem> {
    let lines: Vec<&[u8]> = request
        .headers()
        .get_all(header)
        .map(|line| line.as_bytes())
        .collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let list = lines.join(&b","[..]);
    if list.trim_ascii() == b"*" {
        return Ok(Some(Tags::Any));
    }
    let title = match *header {
        IF_MATCH => "If-Match",
        _ => "If-None-Match",
    };
    let tags = entity_tags(&list).filter(|tags| !tags.is_empty());
    let Some(tags) = tags else {
        let detail = format!("{title} must be * or a list of entity tags in double quotes");
        return Err(Problem::malformed(detail));
    };
    if tags.len() > TAGS_MAX {
        let detail = format!("{title} has more than {TAGS_MAX} entity tags");
        return Err(Problem::malformed(detail));
    }
    let versions = tags.iter().filter(|tag| may_match(tag));
    Ok(Some(Tags::Of(
        versions.filter_map(EntityTag::version).collect(),
    )))
}

/// The entity tags of a list by commas, which may have empty elements (RFC 9110,
/// section 5.6.1.2). `None` for what is no such list.
fn entity_tags(list: &[u8]) -> Option<Vec<EntityTag<'_>>> {
    let mut tags = Vec::new();
    let mut rest = list.trim_ascii_start();
    while let Some(first) = rest.first() {
        if *first != b',' {
            let (is_weak, quoted) = match rest.strip_prefix(b"W/") {
                Some(quoted) => (true, quoted),
                None => (false, rest),
            };
            let inside = quoted.strip_prefix(b"\"")?;
            let end = inside.iter().position(|byte| *byte == b'"')?;
            let (opaque, after) = inside.split_at(end);
            if !opaque
                .iter()
                .all(|byte| matches!(byte, 0x21..=0x7e | 0x80..))
            {
                return None;
            }
            tags.push(EntityTag { is_weak, opaque });
            rest = after.strip_prefix(b"\"")?.trim_ascii_start();
        }
        match rest {
            [b',', after @ ..] => rest = after.trim_ascii_start(),
            [] => {}
            _ => return None,
        }
    }
    Some(tags)
}

#[cfg(test)]
mod tests;
