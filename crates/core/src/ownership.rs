//! Which database, Redis and processes belong together, kept up to date by tasks of this process.

pub mod claim;
pub mod guard;

use crate::error::Result;
use crate::model::version::Version;
use crate::store::Store;

/// The newest version that the database has had, as far as [`crate::binding::judge`] needs it: it is exact
/// where it is older than `committed`. `noted` is what the database has noted.
///
/// # Errors
/// When it is unavailable.
pub(crate) async fn newest_of(
    store: &dyn Store,
    noted: Version,
    committed: Version,
) -> Result<Version> {
    if noted >= committed {
        return Ok(noted);
    }
    let bound = store.newest_version().await?;
    // Only after a crash, or in an older state: what is committed is noted once a second.
    match bound >= committed && store.has_between(committed, bound).await? {
        true => Ok(committed),
        false => Ok(noted),
    }
}
