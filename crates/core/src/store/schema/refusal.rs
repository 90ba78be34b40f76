//! The sentences with which a start ends that does not find what it needs.

use super::survey::Survey;
use super::{ROWS_AT_START_MAX, SET_ASIDE, USERS};
use crate::error::Error;

/// Ends the start with the exit code for bad settings: waiting mends nothing.
fn refuse(sentence: &str) -> Error {
    Error::BadSetting {
        key: "DATABASE_URL",
        reason: sentence.into(),
    }
}

const UNCHANGED: &str = "Nothing was changed.";

/// `users` is neither ours nor classic.
pub(super) fn another_programs(differences: &[String]) -> Error {
    refuse(&format!(
        "the table {USERS} is another program's, and not one that can be adopted: {}. {UNCHANGED} \
         Rename it, or choose another database",
        differences.join("; ")
    ))
}

/// Tables of ours are not as the migrations make them.
pub(super) fn changed(differences: &[String]) -> Error {
    refuse(&format!(
        "a table is not as the migrations make it: {}. {UNCHANGED} Change it back",
        differences.join("; ")
    ))
}

/// The migrations have run and did not make what they should.
pub(super) fn incomplete(differences: &[String]) -> Error {
    refuse(&format!(
        "the migrations are recorded as run, and a table is not as they make it: {}",
        differences.join("; ")
    ))
}

/// Tables are gone that others refer to.
pub(super) fn lost(what: &[String]) -> Error {
    refuse(&format!(
        "{}, though the migrations have made it, and caches and journals know this database by \
         its identity. {UNCHANGED} Restore it; or, to begin with what is left under a new identity, \
         drop the table users_identity",
        what.join("; ")
    ))
}

/// There are more rows than an ordinary start adopts.
pub(super) fn too_large() -> Error {
    refuse(&format!(
        "the table {USERS} is another program's and has more than {ROWS_AT_START_MAX} rows. \
         {UNCHANGED} The subcommand `migrate` adopts it, and says how far it is"
    ))
}

/// Some rows cannot stay.
pub(super) fn rows_cannot_stay(survey: &Survey) -> Error {
    refuse(&format!(
        "the table {USERS} is another program's, and {}. {UNCHANGED} `migrate --adopt=newest` keeps \
         the row with the largest id of each name and moves the others, as they are, to the table \
         {SET_ASIDE}; with --dry-run it only says what it would do",
        survey.in_words()
    ))
}

/// `users_set_aside` cannot take more.
pub(super) fn set_aside_is_taken(why: &str) -> Error {
    refuse(&format!(
        "the table {SET_ASIDE} {why}. {UNCHANGED} Rename it"
    ))
}
