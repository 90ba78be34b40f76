//! The fields of a JSON object, read one by one, to have every reason why it is no user.

use std::collections::BTreeMap;

use cache_core::model::user::{check_age, name_faults, occupation_faults};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::position::Position;
use crate::problem::{FieldErrors, Kind, Problem};

pub(super) const TEXT: &str = "must be a text of 1 to 255 characters";
const AGE: &str = "must be a whole number from 0 to 150";

/// A body as text, and the JSON value in it.
pub(super) fn json(body: &[u8]) -> Result<(&str, &str), Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let position = Position::of(body, error.valid_up_to());
        let detail = format!("the body is not UTF-8 at {position}");
        Problem::invalid_json(detail, position)
    })?;
    let whole: &RawValue = serde_json::from_str(text).map_err(|error| not_json(text, &error))?;
    Ok((text, whole.get()))
}

/// The fields of a JSON object, as they stand in it.
pub(super) struct Fields<'a> {
    body: &'a str,
    values: BTreeMap<String, &'a RawValue>,
    pub(super) errors: FieldErrors,
}

impl<'a> Fields<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Fields<'a>, Problem> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(Problem::new(
                Kind::InvalidJson,
                "the body is empty; it must be a JSON object",
            ));
        }
        let (text, whole) = json(body)?;
        if !whole.starts_with('{') {
            let detail = format!("the body must be a JSON object, not {}", found(whole));
            return Err(Problem::new(Kind::Validation, detail));
        }
        let pairs: Pairs<'a> =
            serde_json::from_str(whole).map_err(|error| half_a_pair(text, whole, &error))?;
        let mut fields = Fields {
            body: text,
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

    pub(super) fn name(&mut self, path_name: Option<&str>) -> Result<Option<String>, Problem> {
        match path_name {
            Some(path_name) if !self.values.contains_key("name") => Ok(Some(path_name.to_owned())),
            _ => {
                let name = self.text("name", name_faults)?;
                let is_other = |path_name| name.as_deref().is_some_and(|name| name != path_name);
                if path_name.is_some_and(is_other) {
                    self.errors
                        .add("name", "must be the name in the path, or be left out");
                }
                Ok(name)
            }
        }
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.values.contains_key(field)
    }

    pub(super) fn deleted(&mut self) -> Result<Option<String>, Problem> {
        self.text("delete", name_faults)
    }

    pub(super) fn occupation(&mut self) -> Result<Option<String>, Problem> {
        self.text("occupation", occupation_faults)
    }

    fn text(
        &mut self,
        field: &str,
        faults: fn(&str) -> Vec<&'static str>,
    ) -> Result<Option<String>, Problem> {
        let Some(value) = self.values.remove(field) else {
            self.errors.add(field, format!("is missing; {TEXT}"));
            return Ok(None);
        };
        let value = value.get();
        if !value.starts_with('"') {
            self.errors
                .add(field, format!("{TEXT}, not {}", found(value)));
            return Ok(None);
        }
        let text: String =
            serde_json::from_str(value).map_err(|error| half_a_pair(self.body, value, &error))?;
        for fault in faults(&text) {
            self.errors.add(field, fault);
        }
        Ok(Some(text))
    }

    pub(super) fn age(&mut self) -> Option<u8> {
        let Some(value) = self.values.remove("age") else {
            self.errors.add("age", format!("is missing; {AGE}"));
            return None;
        };
        // Only digits: -0, 30.0 and 3e1 are whole numbers too, and not written so.
        let value = value.get();
        let written = value.parse::<i128>().ok().filter(|_| value != "-0");
        let age = written.and_then(|age| check_age(age).ok());
        if age.is_none() {
            let found = found(value);
            let detail = match (found, written) {
                (NUMBER, Some(_)) => AGE.to_owned(),
                (NUMBER, None) => format!("{AGE}, written in digits alone"),
                _ => format!("{AGE}, not {found}"),
            };
            self.errors.add("age", detail);
        }
        age
    }

    /// Notes that the fields are wrong that were not asked for.
    pub(super) fn refuse_the_rest(&mut self, known: &str) {
        for field in std::mem::take(&mut self.values).into_keys() {
            self.errors
                .add(&field, format!("is unknown; there is {known}"));
        }
    }
}

const NUMBER: &str = "a number";

/// What a JSON value is, by its first character.
pub(super) fn found(value: &str) -> &'static str {
    match value.as_bytes().first() {
        Some(b'"') => "a text",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't') => "true",
        Some(b'f') => "false",
        Some(b'n') => "null",
        _ => NUMBER,
    }
}

fn not_json(body: &str, error: &serde_json::Error) -> Problem {
    let said = error.to_string();
    let reason = match (error.classify(), said.rsplit_once(" at line ")) {
        // The parser's own words, which repeat nothing of the body.
        (Category::Syntax | Category::Eof, Some((reason, _))) => reason,
        _ => "it cannot be read",
    };
    invalid(reason, Position::of_error(body, body, error))
}

/// The problem of `part`, a part of a body whose grammar was checked: what can be wrong still is half of a
/// surrogate pair, which no UTF-8 can hold.
pub(super) fn half_a_pair(body: &str, part: &str, error: &serde_json::Error) -> Problem {
    let position = Position::of_error(body, part, error);
    invalid("half of a surrogate pair", position)
}

fn invalid(reason: &str, position: Position) -> Problem {
    let detail = format!("the body is not valid JSON: {reason} at {position}");
    Problem::invalid_json(detail, position)
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
