//! Finds the line of a setting in a settings file, for error messages.

use std::collections::BTreeMap;

use toml::de::DeTable;

use crate::settings::{BadSetting, bad};

/// The lines and columns of the names in a settings file.
#[derive(Debug, Default)]
pub(super) struct Places {
    path: String,
    by_name: BTreeMap<String, String>,
}

impl Places {
    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// Where the text is not valid TOML. Never repeats it, since a password may be there.
    pub(super) fn of(path: &str, text: &str) -> Result<Places, BadSetting> {
        let invalid = |error: toml::de::Error| {
            let place = error.span().map(|span| in_words(text, span.start));
            let place = place.map(|place| format!(" at {place}"));
            bad(
                path,
                format!("is not valid TOML{}", place.unwrap_or_default()),
            )
        };
        let table = DeTable::parse(text).map_err(invalid)?;
        let names = table.get_ref().keys().map(|name| {
            let place = in_words(text, name.span().start);
            (name.get_ref().to_lowercase(), place)
        });
        Ok(Places {
            by_name: names.collect(),
            path: path.to_owned(),
        })
    }

    /// Forgets a name whose value comes from elsewhere.
    pub(super) fn forget(&mut self, key: &str) {
        self.by_name.remove(&key.to_lowercase());
    }

    /// Adds the place to what is wrong with a value that is in the file.
    pub(super) fn locate(&self, refused: BadSetting) -> BadSetting {
        let found = self.by_name.get(&refused.key.to_lowercase());
        match found {
            None => refused,
            Some(place) => BadSetting {
                reason: format!("{} ({}, {place})", refused.reason, self.path),
                ..refused
            },
        }
    }
}

/// The line and the column of a position, both from 1 on, in characters.
fn in_words(text: &str, position: usize) -> String {
    let before = text.get(..position).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let column = before.get(start..).unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}
