//! The database of the settings.

use std::sync::Arc;

use tokio::time::Instant;

use crate::binding::BindingStore;
use crate::bypass::protocol::Membership;
use crate::error::{Part, Result};
use crate::ownership::claim::Taken;
use crate::process::startup;
use crate::settings::{Address, Adopt, CacheUrl, DatabaseUrl, MigrateOptions, Secret, Settings};
use crate::store::claim::{Claim, Usage};
use crate::store::mysql::{MysqlClaim, MysqlStore};
use crate::store::sqlite::SqliteStore;
use crate::store::{Adoption, Store};
use crate::timing;
use crate::tls;

/// A database, by its interfaces.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) membership: Arc<dyn Membership>,
    pub(crate) binding: Arc<dyn BindingStore>,
    /// The claim of a database whose file is locked by this process.
    pub(super) claim: Option<Box<dyn Claim + Sync>>,
}

impl Database {
    fn of(store: impl Store + Membership + BindingStore) -> Database {
        let store = Arc::new(store);
        Database {
            store: store.clone(),
            membership: store.clone(),
            binding: store,
            claim: None,
        }
    }
}

/// Opens the database, creating it and its tables where they are missing. Always the
/// first part to be opened.
///
/// # Errors
/// When it is still unavailable at `deadline`, except that a migration under way is not cut off.
pub(crate) async fn open_database(settings: &Settings, deadline: Instant) -> Result<Database> {
    tls::install_provider();
    match &settings.database {
        DatabaseUrl::Sqlite(path) => {
            let store = SqliteStore::open(path).await?;
            Ok(Database {
                claim: Some(Box::new(store.claim())),
                ..Database::of(store)
            })
        }
        DatabaseUrl::Mysql(url) => {
            let open = async |by| {
                let address = address(settings, url);
                MysqlStore::open_by(
                    by,
                    address,
                    settings.database_pool_max,
                    settings.database_timeout,
                )
                .await
            };
            let store = startup::within(deadline, open).await?;
            Ok(Database::of(store))
        }
    }
}

/// Creates the database and brings its tables up to date where that is missing. Returns
/// what was done, or with a dry run what would be, in sentences.
///
/// # Errors
/// When it is still unavailable at the end of `settings.startup_deadline`; at once when its
/// tables are not what they have to be.
pub async fn migrate(settings: &Settings, options: MigrateOptions) -> Result<Vec<String>> {
    tls::install_provider();
    let keep_newest = options.adopt == Some(Adopt::Newest);
    let adoption = Adoption::by_migrate(keep_newest, options.dry_run);
    match &settings.database {
        DatabaseUrl::Sqlite(path) => SqliteStore::migrate(path, adoption).await,
        DatabaseUrl::Mysql(url) => {
            let migrate = async |by| {
                let address = address(settings, url);
                MysqlStore::migrate_by(by, address, settings.database_timeout, adoption).await
            };
            startup::within(settings.startup_by(), migrate).await
        }
    }
}

/// The server of the database, with what its connections need of TLS.
pub(super) fn address(settings: &Settings, url: &Secret) -> Address {
    Address {
        url: url.clone(),
        tls: settings.database_tls.clone(),
    }
}

/// How a service with these settings uses its database.
pub(super) fn usage(settings: &Settings) -> Usage {
    match &settings.cache {
        CacheUrl::Memory => Usage::Alone,
        CacheUrl::Redis(_) => Usage::Together,
    }
}

/// Takes the claim by which no process uses a memory cache beside others. (A SQLite file is locked.)
pub(crate) async fn claim(
    settings: &Settings,
    usage: Usage,
    deadline: Instant,
) -> Result<Option<Taken>> {
    let DatabaseUrl::Mysql(url) = &settings.database else {
        return Ok(None);
    };
    let token = fastrand::u64(..);
    let take = async |by| {
        let address = address(settings, url);
        let claim = MysqlClaim::new(address, usage, settings.database_timeout, token)?;
        let take = Taken::take(Box::new(claim), usage, by);
        startup::until(by + timing::CLAIM_REFUSAL_TIMEOUT, Part::Database, take).await
    };
    startup::within(deadline, take).await.map(Some)
}
