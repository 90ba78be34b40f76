//! From bytes to a user or a name, or to every reason why not.
//!
//! Most requests are valid, so a strict typed parse comes first. Whatever it
//! refuses is read again field by field, and that second reading decides.

use std::borrow::Cow;
use std::collections::BTreeMap;

use cache_core::user::{User, check_age, check_name, check_occupation};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::problem::{FieldErrors, Kind, Problem};

/// The user in `body`; `path_name` is the one that the path names, which the
/// body may then leave out.
///
/// # Errors
/// `400` when it is not JSON, `422` with every field that is wrong.
pub fn parse_user(body: &[u8], path_name: Option<&str>) -> Result<User, Problem> {
    match quick_user(body, path_name) {
        Some(user) => Ok(user),
        None => careful_user(body, path_name),
    }
}

/// The name in `body`, a JSON object with that one field.
///
/// # Errors
/// `400` when it is not JSON, `422` with every field that is wrong.
pub fn parse_name(body: &[u8]) -> Result<String, Problem> {
    let mut fields = Fields::parse(body)?;
    let name = fields.name(None)?;
    fields.refuse_the_rest();
    fields.errors.finish(name)
}

/// The name that a path or query gives, checked.
///
/// # Errors
/// `422` naming `field`.
pub fn checked_name(name: String, field: &str) -> Result<String, Problem> {
    let mut errors = FieldErrors::default();
    if let Err(detail) = check_name(&name) {
        errors.add(field, detail);
    }
    errors.finish(Some(name))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuickUser<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    name: Option<Cow<'a, str>>,
    age: u8,
    #[serde(borrow)]
    occupation: Cow<'a, str>,
}

/// Unlike an `Option` by itself, does not take null for absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    Cow::<str>::deserialize(deserializer).map(Some)
}

fn quick_user(body: &[u8], path_name: Option<&str>) -> Option<User> {
    // A struct would also be read from an array of its fields.
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return None;
    }
    let quick: QuickUser<'_> = serde_json::from_slice(body).ok()?;
    let name = match (quick.name, path_name) {
        (Some(name), None) => name.into_owned(),
        (Some(name), Some(path_name)) if name == path_name => name.into_owned(),
        (None, Some(path_name)) => path_name.to_owned(),
        _ => return None,
    };
    let valid = check_name(&name).is_ok()
        && check_age(quick.age.into()).is_ok()
        && check_occupation(&quick.occupation).is_ok();
    valid.then(|| User {
        name,
        age: quick.age,
        occupation: quick.occupation.into_owned(),
    })
}

fn careful_user(body: &[u8], path_name: Option<&str>) -> Result<User, Problem> {
    let mut fields = Fields::parse(body)?;
    let name = fields.name(path_name)?;
    let age = fields.age();
    let occupation = fields.text("occupation", check_occupation)?;
    fields.refuse_the_rest();
    let user = match (name, age, occupation) {
        (Some(name), Some(age), Some(occupation)) => Some(User {
            name,
            age,
            occupation,
        }),
        _ => None,
    };
    fields.errors.finish(user)
}

/// The fields of a JSON object, as they stand in it.
struct Fields<'a> {
    values: BTreeMap<String, &'a RawValue>,
    errors: FieldErrors,
}

impl<'a> Fields<'a> {
    fn parse(body: &'a [u8]) -> Result<Fields<'a>, Problem> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(Problem::new(
                Kind::InvalidJson,
                "the body is empty; it must be a JSON object",
            ));
        }
        let text = std::str::from_utf8(body).map_err(|error| {
            Problem::new(
                Kind::InvalidJson,
                format!("the body is not UTF-8 at byte {}", error.valid_up_to()),
            )
        })?;
        let whole: &RawValue = serde_json::from_str(text).map_err(|error| not_json(&error))?;
        if !whole.get().starts_with('{') {
            return Err(Problem::new(
                Kind::Validation,
                "the body must be a JSON object",
            ));
        }
        let pairs: Pairs<'a> =
            serde_json::from_str(whole.get()).map_err(|error| not_json(&error))?;
        let mut fields = Fields {
            values: BTreeMap::new(),
            errors: FieldErrors::default(),
        };
        for (name, value) in pairs.0 {
            if fields.values.insert(name.clone(), value).is_some() {
                fields.errors.add(&name, "is there more than once");
            }
        }
        Ok(fields)
    }

    fn name(&mut self, path_name: Option<&str>) -> Result<Option<String>, Problem> {
        match path_name {
            None => self.text("name", check_name),
            Some(path_name) if !self.values.contains_key("name") => Ok(Some(path_name.to_owned())),
            Some(path_name) => {
                let name = self.text("name", check_name)?;
                if name.as_deref().is_some_and(|name| name != path_name) {
                    self.errors
                        .add("name", "must be the name in the path, or be left out");
                }
                Ok(name)
            }
        }
    }

    fn text(
        &mut self,
        field: &str,
        check: fn(&str) -> Result<(), &'static str>,
    ) -> Result<Option<String>, Problem> {
        let Some(value) = self.values.remove(field) else {
            self.errors.add(field, "is missing");
            return Ok(None);
        };
        if !value.get().starts_with('"') {
            self.errors.add(field, "must be a text");
            return Ok(None);
        }
        // Its grammar was checked; what can be wrong still is half of a
        // surrogate pair, which no UTF-8 can hold.
        let text: String = serde_json::from_str(value.get()).map_err(|error| not_json(&error))?;
        if let Err(detail) = check(&text) {
            self.errors.add(field, detail);
        }
        Ok(Some(text))
    }

    fn age(&mut self) -> Option<u8> {
        let Some(value) = self.values.remove("age") else {
            self.errors.add("age", "is missing");
            return None;
        };
        // Only digits: -0, 30.0 and 3e1 are whole numbers too, and not written so.
        let age = value
            .get()
            .parse::<i128>()
            .ok()
            .filter(|_| value.get() != "-0")
            .ok_or("must be a whole number from 0 to 150")
            .and_then(check_age);
        age.map_err(|detail| self.errors.add("age", detail)).ok()
    }

    fn refuse_the_rest(&mut self) {
        for field in std::mem::take(&mut self.values).into_keys() {
            self.errors.add(&field, "is not a known field");
        }
    }
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::new(
        Kind::InvalidJson,
        format!(
            "the body is not valid JSON at line {} column {}",
            error.line(),
            error.column()
        ),
    )
}

/// The members of a JSON object, in order, duplicates included.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry::<String, &'de RawValue>()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests;
