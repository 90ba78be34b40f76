//! Which data a cache and a journal hold.

use crate::error::{Error, Result};

/// Most shards that data may be spread over.
const SHARDS_MAX: u16 = 1024;

/// The name of a database's data, and over how many shards the keys are spread in Redis. Both are
/// stored with the data, so all processes on it have the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    /// The identity of the database.
    pub identity: String,
    /// The number of shards, at least 1.
    pub shards: u16,
}

impl Dataset {
    /// The data of the database of that identity, with the number as the database stores it.
    ///
    /// # Errors
    /// [`Error::BadSetting`] with a sentence when there cannot be so many shards.
    pub fn new(identity: String, shards: i32) -> Result<Dataset> {
        match u16::try_from(shards) {
            Ok(shards @ 1..=SHARDS_MAX) => Ok(Dataset { identity, shards }),
            _ => Err(Error::BadSetting {
                key: "DATABASE_URL",
                reason: format!(
                    "shards in the table cache_binding is {shards}, and must be from 1 to {SHARDS_MAX}"
                )
                .into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_at_least_one_shard() {
        let dataset = |shards| Dataset::new("x".to_owned(), shards);
        assert_eq!(dataset(1).unwrap().shards, 1);
        assert_eq!(dataset(1024).unwrap().shards, 1024);
        for shards in [0, -1, 1025, 65_537, i32::MIN] {
            let error = dataset(shards).unwrap_err().to_string();
            assert!(error.contains(&format!("is {shards},")), "{error}");
        }
    }
}
