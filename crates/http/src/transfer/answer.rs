//! What became of a row: a line of the answer to a batch.

use serde::Deserialize;

use crate::problem::Kind;

/// See the module.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Answer {
    pub(super) line: u64,
    status: u16,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    errors: Vec<FieldAnswer>,
    #[serde(default)]
    pub(super) retry_after_s: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
struct FieldAnswer {
    field: String,
    detail: String,
}

/// What follows from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// A user is written.
    Written,
    /// A user is deleted.
    Deleted,
    /// There was no user to delete.
    Absent,
    /// The journal has it, and whether the database does is not known yet.
    Journaled,
    /// To be repeated.
    Passing,
    /// It will not be written.
    Refused,
}

impl Answer {
    /// The answer in a line.
    pub(super) fn read(line: &[u8]) -> Option<Answer> {
        serde_json::from_slice(line).ok()
    }

    /// What the problem says that answers a whole call.
    pub(super) fn read_problem(text: &[u8]) -> String {
        #[derive(Deserialize)]
        struct Document {
            detail: String,
        }
        let document: Option<Document> = serde_json::from_slice(text).ok();
        document.map_or_else(
            || "this is no answer of the service".to_owned(),
            |said| said.detail,
        )
    }

    /// What follows from it.
    pub(super) fn fate(&self) -> Fate {
        let is = |kind: Kind| self.kind == kind.path();
        match self.status {
            200 => Fate::Written,
            204 => Fate::Deleted,
            404 => Fate::Absent,
            _ if is(Kind::NotPersisted) || is(Kind::PersistenceUnknown) => Fate::Journaled,
            408 | 429 | 503 => Fate::Passing,
            _ => Fate::Refused,
        }
    }

    /// Every reason why the row was not written.
    pub(super) fn reasons(&self) -> String {
        let reasons = self.errors.iter();
        let reasons: Vec<String> = reasons
            .map(|error| format!("{}: {}", error.field, error.detail))
            .collect();
        match reasons.is_empty() {
            true => self.detail.clone(),
            false => reasons.join("; "),
        }
    }
}
