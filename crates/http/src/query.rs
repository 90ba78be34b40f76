//! Query strings.

use cache_core::store::POSITION_BYTES_MAX;

use crate::path::decode;
use crate::problem::{FieldErrors, Problem};

/// The fields of a query string, each taken once.
#[derive(Debug)]
pub struct Query {
    fields: Vec<(String, String)>,
    known: Vec<&'static str>,
    errors: FieldErrors,
}

impl Query {
    /// Splits and decodes a query string.
    ///
    /// # Errors
    /// `400` when it does not decode.
    pub fn parse(text: &str) -> Result<Query, Problem> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let fields = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((
                decode(&name.replace('+', " "))?.into_owned(),
                decode(&value.replace('+', " "))?.into_owned(),
            ))
        });
        Ok(Query {
            fields: fields.collect::<Result<_, Problem>>()?,
            known: Vec::new(),
            errors: FieldErrors::default(),
        })
    }

    fn take(&mut self, field: &'static str) -> Option<String> {
        self.known.push(field);
        let place = self.fields.iter().position(|(name, _)| name == field)?;
        Some(self.fields.remove(place).1)
    }

    /// A whole number in a range, `default` when it is not given.
    pub fn number(
        &mut self,
        field: &'static str,
        range: std::ops::RangeInclusive<u32>,
        default: u32,
    ) -> u32 {
        let Some(text) = self.take(field) else {
            return default;
        };
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if is_plain && range.contains(&number) => number,
            _ => {
                let detail = format!(
                    "must be a whole number from {} to {}",
                    range.start(),
                    range.end()
                );
                self.errors.add(field, detail);
                default
            }
        }
    }

    /// One of `choices`, the first of them when it is not given.
    pub fn choice<const N: usize>(
        &mut self,
        field: &'static str,
        choices: [&'static str; N],
    ) -> &'static str {
        let default = choices.first().copied().unwrap_or_default();
        let Some(text) = self.take(field) else {
            return default;
        };
        match choices.into_iter().find(|choice| *choice == text) {
            Some(choice) => choice,
            None => {
                let detail = format!("must be one of {}", choices.join(", "));
                self.errors.add(field, detail);
                default
            }
        }
    }

    /// A position among names, which is not always a name that a user may have.
    pub fn position(&mut self, field: &'static str) -> Option<String> {
        let position = self.take(field)?;
        if position.len() > POSITION_BYTES_MAX {
            let detail = format!("must have at most {POSITION_BYTES_MAX} bytes");
            self.errors.add(field, detail);
        }
        Some(position)
    }

    /// Any short text, empty when it is not given.
    pub fn text(&mut self, field: &'static str) -> String {
        self.position(field).unwrap_or_default()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// `422` with every field that is wrong, unknown, or there twice.
    pub fn finish(mut self) -> Result<(), Problem> {
        for (field, _) in self.fields {
            let detail = match self.known.contains(&field.as_str()) {
                true => "is there more than once".to_owned(),
                false => format!("is unknown; there is {}", self.known.join(" and ")),
            };
            self.errors.add(&field, detail);
        }
        self.errors.finish(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_one_of_those_that_there_are() {
        let chosen = |text: &str| {
            let mut query = Query::parse(text)?;
            let chosen = query.choice("level", ["low", "high"]);
            query.finish().map(|()| chosen)
        };
        assert_eq!(chosen("").unwrap(), "low");
        assert_eq!(chosen("level=high").unwrap(), "high");
        for wrong in ["level=", "level=High", "level=low&level=low", "lvl=low"] {
            assert!(chosen(wrong).is_err(), "{wrong}");
        }
    }

    fn page(text: &str) -> Result<(Option<String>, u32), Problem> {
        let mut query = Query::parse(text)?;
        let asked = (
            query.position("after"),
            query.number("limit", 1..=1000, 100),
        );
        query.finish().map(|()| asked)
    }

    #[test]
    fn what_is_given_is_taken_and_everything_else_refused() {
        assert_eq!(page("").unwrap(), (None, 100));
        assert_eq!(
            page("limit=7&after=a%26b+c").unwrap(),
            (Some("a&b c".to_owned()), 7)
        );
        for after in ["", " a", "a\0", "a\n"] {
            let escaped =
                percent_encoding::utf8_percent_encode(after, percent_encoding::NON_ALPHANUMERIC);
            let asked = page(&format!("after={escaped}"));
            assert_eq!(asked.unwrap().0.as_deref(), Some(after));
        }
        let longest = "a".repeat(POSITION_BYTES_MAX);
        assert!(page(&format!("after={longest}")).is_ok());
        assert!(page(&format!("after={longest}a")).is_err());
        for wrong in [
            "limit=0",
            "limit=1001",
            "limit=x",
            "limit=%2B1",
            "limit=",
            "limit=1&limit=2",
            "lmit=1",
            "after=%F",
        ] {
            assert!(page(wrong).is_err(), "{wrong}");
        }
    }
}
