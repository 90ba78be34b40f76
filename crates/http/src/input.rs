//! From bytes to a user or a name, or to every reason why not.
//!
//! Most requests are valid, so a strict typed parse comes first. Whatever it
//! refuses is read again field by field, and that second reading decides.

mod fields;
mod names;

use std::borrow::Cow;

use cache_core::model::user::{BorrowedUser, check_age, check_name, check_occupation, name_faults};
use serde::Deserialize;
use serde::de::Deserializer;

use crate::problem::{FieldErrors, Problem};

use fields::Fields;
pub(crate) use names::NAMES_MAX;
pub use names::parse_names;

/// The user in `body`; `path_name` is the one that the path names, which the
/// body may then leave out.
///
/// # Errors
/// `400` when it is not JSON, `422` with every field that is wrong.
pub fn parse_user<'a>(
    body: &'a [u8],
    path_name: Option<&'a str>,
) -> Result<BorrowedUser<'a>, Problem> {
    match quick_user(body, path_name) {
        Some(user) => Ok(user),
        None => careful_user(body, path_name),
    }
}

/// A line of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// The user to write.
    User(BorrowedUser<'a>),
    /// The name of the one to delete.
    Delete(Cow<'a, str>),
}

/// The user in `line`, or the name in `{"delete": …}`.
///
/// # Errors
/// `400` when it is not JSON, `422` with every field that is wrong.
pub fn parse_line(line: &[u8]) -> Result<Line<'_>, Problem> {
    if let Some(user) = quick_user(line, None) {
        return Ok(Line::User(user));
    }
    let mut fields = Fields::parse(line)?;
    if !fields.has("delete") {
        return careful_user(line, None).map(Line::User);
    }
    let name = fields.deleted()?;
    fields.refuse_the_rest("delete alone");
    fields
        .errors
        .finish(name)
        .map(|name| Line::Delete(name.into()))
}

/// The name in `body`, a JSON object with that one field.
///
/// # Errors
/// `400` when it is not JSON, `422` with every field that is wrong.
pub fn parse_name(body: &[u8]) -> Result<String, Problem> {
    let mut fields = Fields::parse(body)?;
    let name = fields.name(None)?;
    fields.refuse_the_rest("name");
    fields.errors.finish(name)
}

/// The name that a path or query gives, checked.
///
/// # Errors
/// `422` naming `field`.
pub fn checked_name<T: AsRef<str>>(name: T, field: &str) -> Result<T, Problem> {
    let mut errors = FieldErrors::default();
    for fault in name_faults(name.as_ref()) {
        errors.add(field, fault);
    }
    errors.finish(Some(name))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuickUser<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    name: Option<Text<'a>>,
    age: u8,
    #[serde(borrow)]
    occupation: Cow<'a, str>,
}

/// By itself, a `Cow` in an `Option` is not borrowed.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Unlike an `Option` by itself, does not take null for absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text<'de>>, D::Error> {
    Text::deserialize(deserializer).map(Some)
}

fn quick_user<'a>(body: &'a [u8], path_name: Option<&'a str>) -> Option<BorrowedUser<'a>> {
    // A struct would also be read from an array of its fields.
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return None;
    }
    let quick: QuickUser<'_> = serde_json::from_slice(body).ok()?;
    let name = match (quick.name, path_name) {
        (Some(Text(name)), None) => name,
        (Some(Text(name)), Some(path_name)) if name == path_name => name,
        (None, Some(path_name)) => path_name.into(),
        _ => return None,
    };
    let valid = check_name(&name).is_ok()
        && check_age(quick.age.into()).is_ok()
        && check_occupation(&quick.occupation).is_ok();
    valid.then_some(BorrowedUser {
        name,
        age: quick.age,
        occupation: quick.occupation,
    })
}

fn careful_user(body: &[u8], path_name: Option<&str>) -> Result<BorrowedUser<'static>, Problem> {
    let mut fields = Fields::parse(body)?;
    let name = fields.name(path_name)?;
    let age = fields.age();
    let occupation = fields.occupation()?;
    fields.refuse_the_rest("name, age and occupation");
    let user = match (name, age, occupation) {
        (Some(name), Some(age), Some(occupation)) => Some(BorrowedUser {
            name: name.into(),
            age,
            occupation: occupation.into(),
        }),
        _ => None,
    };
    fields.errors.finish(user)
}

#[cfg(test)]
mod tests;
