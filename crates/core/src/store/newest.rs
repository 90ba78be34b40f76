//! The newest version of all rows, looked for part by part.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};

/// The newest version of some rows in the order of their names, and the last name.
#[derive(Debug, QueryableByName)]
pub(super) struct Newest {
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(super) version: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) last: Option<String>,
}

/// Rows of one statement that looks for the newest version.
pub(super) const NEWEST_OF: u32 = 50_000;

/// A walk over all rows, part by part, for their newest version.
#[derive(Debug)]
pub(super) struct NewestOfAll {
    /// Of the parts so far; at least 0.
    pub(super) version: i64,
    /// The last name of the last part; none at the end.
    after: Option<String>,
}

impl NewestOfAll {
    pub(super) fn begin() -> NewestOfAll {
        NewestOfAll {
            version: 0,
            after: Some(String::new()),
        }
    }

    /// The name after which the next part begins.
    pub(super) fn wants(&self) -> Option<String> {
        self.after.clone()
    }

    pub(super) fn take(&mut self, part: Newest) {
        self.version = self.version.max(part.version.unwrap_or_default());
        self.after = part.last.filter(|last| Some(last) > self.after.as_ref());
    }
}
