//! What the subcommand `export` reads: the database alone.

use std::sync::Arc;

use crate::error::Result;
use crate::parts;
use crate::settings::Settings;
use crate::store::Store;

/// Opens the database.
///
/// # Errors
/// When it is unavailable, or a file that another process has open.
pub async fn open(settings: &Settings) -> Result<Arc<dyn Store>> {
    let database = parts::open_database(settings, settings.startup_by()).await?;
    Ok(database.store)
}

/// How many acknowledged writes wait in the file journal: the database lacks them.
///
/// # Errors
/// When the journal cannot be read.
pub fn waiting(settings: &Settings) -> Result<u64> {
    let journal = parts::open_file_journal(settings)?;
    Ok(journal.map_or(0, |journal| journal.waiting()))
}
