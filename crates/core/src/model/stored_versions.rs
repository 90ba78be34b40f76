//! What a version clock, and a cache that may have come back with old data,
//! have to know of the database.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::record::Key;
use crate::model::version::Version;

/// The versions that the database has.
#[async_trait]
pub trait StoredVersions: Send + Sync {
    /// The newest of all, [`Version::ZERO`] in an empty database.
    async fn newest(&self) -> Result<Version>;

    /// Those of `keys`, as far as it has any; of one that was purged, that or a newer one.
    async fn of(&self, keys: &[Key]) -> Result<HashMap<Key, Version>>;
}

/// A database of which nothing is known but its newest version.
#[async_trait]
impl StoredVersions for Version {
    async fn newest(&self) -> Result<Version> {
        Ok(*self)
    }

    async fn of(&self, _: &[Key]) -> Result<HashMap<Key, Version>> {
        Ok(HashMap::new())
    }
}

/// A database whose newest version counts as at least the given one.
pub(crate) struct AtLeast<'a>(pub(crate) &'a dyn StoredVersions, pub(crate) Version);

#[async_trait]
impl StoredVersions for AtLeast<'_> {
    async fn newest(&self) -> Result<Version> {
        Ok(self.0.newest().await?.max(self.1))
    }

    async fn of(&self, keys: &[Key]) -> Result<HashMap<Key, Version>> {
        self.0.of(keys).await
    }
}
