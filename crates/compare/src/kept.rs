//! What is kept under a name.

use cache_core::model::user::User;

/// What is there under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The version; `None` where a service says that there is no record, and not since when.
    pub version: Option<u64>,
    /// The record; `None` if it was deleted, or never was.
    pub user: Option<User>,
}

/// A name and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name.
    pub name: String,
    /// What is there.
    pub kept: Kept,
}

impl Kept {
    /// What a row of the table says. One that is neither deleted nor whole is of no service's
    /// making, and has no record.
    pub(crate) fn of_columns(
        version: u64,
        deleted: bool,
        (name, age, occupation): (&str, Option<u8>, Option<String>),
    ) -> Kept {
        let user = match (deleted, age, occupation) {
            (false, Some(age), Some(occupation)) => Some(User {
                name: name.to_owned(),
                age,
                occupation,
            }),
            _ => None,
        };
        Kept {
            version: Some(version),
            user,
        }
    }
}
