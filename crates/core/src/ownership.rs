//! Which database, Redis and processes belong together, kept up to date by tasks of this process.

pub mod claim;
pub mod guard;

use crate::error::Result;
use crate::model::version::Version;
use crate::store::Store;

/// Returns `noted`, or `committed` if that is newer and the database has a row at least as new.
/// [`crate::binding::judge`] only compares the result with `committed`. `noted` is the newest
/// version that the database has noted.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn newest_of(
    store: &dyn Store,
    noted: Version,
    committed: Version,
) -> Result<Version> {
    if noted >= committed {
        return Ok(noted);
    }
    let bound = store.newest_version().await?;
    // This is reached only after a crash or in an older state, since the newest version is noted
    // once a second.
    match bound >= committed && store.has_between(committed, bound).await? {
        true => Ok(committed),
        false => Ok(noted),
    }
}
