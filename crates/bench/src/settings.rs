//! How long and how often is measured.

use serde::{Deserialize, Serialize};

/// What two runs need to have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) load_s: u64,
    pub(crate) repetitions: usize,
    pub(crate) backlog: u64,
}
