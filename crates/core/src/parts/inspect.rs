//! What each part of the settings holds of one name. Only reads. No part is waited for that is unavailable.

use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;

use crate::cache::redis::inspect as in_cache;
use crate::error::{Error, Part, Result};
use crate::inspect::{CacheSaid, Findings, Said, Unread};
use crate::journal::Waiting;
use crate::journal::file::inspect as in_files;
use crate::journal::redis_stream::inspect as in_redis;
use crate::model::dataset::Dataset;
use crate::model::epoch::Epoch;
use crate::model::record::Key;
use crate::parts::database::address;
use crate::process::startup;
use crate::redis::Redis;
use crate::settings::{CacheUrl, DatabaseUrl, JournalUrl, Service, Settings};
use crate::store::inspect::{Names, Reader};
use crate::store::mysql::MysqlReader;
use crate::store::sqlite::SqliteReader;
use crate::timing;
use crate::tls;

/// Why a walk over the journal was cut off.
const TOO_MANY: &str = "too many entries to search in 10 s";
/// Why a search for the names of the database's data was cut off.
const TOO_MANY_KEYS: &str =
    "it has too many keys to find those of this database without asking the database";

/// Asks every part. The database's row comes last, so that an entry that is drained meanwhile is seen in
/// the journal, in the database, or in both.
pub(crate) async fn inspect(settings: &Settings, key: &Key) -> Result<Findings> {
    tls::install_provider();
    let mut database = open(settings).await;
    let names = database.as_ref().ok().map(|(_, names)| names);
    let redis = redis(settings, names).await?;
    let journal = journal(settings, redis.as_ref(), key).await;
    let cache = cache(redis.as_ref(), key).await;
    let row = match &mut database {
        Ok((reader, _)) => reader.row(key).await.map_err(unread),
        Err(unread) => Err(unread.clone()),
    };
    let names = database.as_ref().ok().map(|(_, names)| names);
    Ok(Findings {
        name: key.as_str().to_owned(),
        may_bypass: super::may_bypass(settings),
        is_bypassed: names.is_some_and(|names| names.is_bypassed),
        purged_through: names.map_or_else(Default::default, |names| names.purged_through),
        cache_at: at_cache(settings),
        cache,
        journal_at: at_journal(settings),
        journal,
        database_at: at_database(settings),
        row,
    })
}

fn unread(error: Error) -> Unread {
    Unread {
        reason: error.to_string(),
        is_in_use: false,
    }
}

fn in_use(reason: String) -> Unread {
    Unread {
        reason,
        is_in_use: true,
    }
}

/// The database, and the names of its data.
async fn open(settings: &Settings) -> Said<(Box<dyn Reader>, Names)> {
    let mut reader: Box<dyn Reader> = match &settings.database {
        DatabaseUrl::Sqlite(path) if SqliteReader::is_in_use(path) => {
            return Err(in_use(format!(
                "a service has the file open; GET {}/users/NAME shows what it has",
                home(settings)
            )));
        }
        DatabaseUrl::Sqlite(path) => Box::new(SqliteReader::open(path).await.map_err(unread)?),
        DatabaseUrl::Mysql(url) => {
            let opened = MysqlReader::open(address(settings, url), timing::INSPECT_TIMEOUT).await;
            Box::new(opened.map_err(unread)?)
        }
    };
    let names = reader.names().await.map_err(unread)?;
    Ok((reader, names))
}

/// Where the service of these settings is asked.
fn home(settings: &Settings) -> String {
    format!("http://{}", settings.listen)
}

/// The Redis of the settings with the names of the database's data. A database that is unavailable does
/// not tell them; then they are looked for in Redis.
async fn redis(settings: &Settings, names: Option<&Names>) -> Result<Option<Said<Arc<Redis>>>> {
    if matches!(settings.cache, CacheUrl::Memory) {
        return Ok(None);
    }
    let dataset = match names {
        Some(names) => names.dataset.clone(),
        None => match search(settings).await {
            Ok(dataset) => dataset,
            Err(unread) => return Ok(Some(Err(unread))),
        },
    };
    let Some(redis) = super::reach::unconnected(settings, &dataset)? else {
        return Ok(None);
    };
    let epoch = match names {
        Some(names) => Ok(names.epoch),
        None => by_time(redis.newest_epoch()).await.map(Epoch::new),
    };
    Ok(Some(match epoch {
        Ok(epoch) => {
            redis.enter_epoch(epoch, None);
            Ok(redis)
        }
        Err(error) => Err(unread(error)),
    }))
}

/// The one database of this name whose data Redis has.
async fn search(settings: &Settings) -> Said<Dataset> {
    let DatabaseUrl::Mysql(url) = &settings.database else {
        return Err(unread(Error::unavailable(
            Part::Cache,
            "only the database knows under which names its data is there",
        )));
    };
    let any = Dataset {
        identity: String::new(),
        shards: 1,
    };
    let shown = url.to_string();
    let name = shown.rsplit('/').next().unwrap_or_default();
    let found = async {
        match super::reach::unconnected(settings, &any)? {
            Some(redis) => redis.known_datasets(name).await,
            None => Ok(Vec::new()),
        }
    };
    let found = walked(Part::Cache, TOO_MANY_KEYS, found)
        .await
        .map_err(unread)?;
    <[Dataset; 1]>::try_from(found)
        .map(|[dataset]| dataset)
        .map_err(|found| {
            let count = found.len();
            let reason = format!(
                "it has data of {count} databases of this name, and only the database knows its own"
            );
            unread(Error::unavailable(Part::Cache, reason))
        })
}

async fn by_time<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    startup::until(Instant::now() + timing::INSPECT_TIMEOUT, Part::Cache, asked).await
}

/// Gives a walk over what Redis holds that is cut off the reason `too_many`. A command of the walk that
/// hangs fails by the timeout of Redis, for its own reason.
async fn walked<T>(part: Part, too_many: &str, walk: impl Future<Output = Result<T>>) -> Result<T> {
    let walked = tokio::time::timeout(timing::INSPECT_TIMEOUT, walk).await;
    walked.unwrap_or_else(|_| Err(Error::unavailable(part, too_many)))
}

async fn cache(redis: Option<&Said<Arc<Redis>>>, key: &Key) -> CacheSaid {
    match redis {
        None => CacheSaid::InMemory,
        Some(Err(unread)) => CacheSaid::Shared(Err(unread.clone())),
        Some(Ok(redis)) => {
            CacheSaid::Shared(by_time(in_cache::cached(redis, key)).await.map_err(unread))
        }
    }
}

async fn journal(
    settings: &Settings,
    redis: Option<&Said<Arc<Redis>>>,
    key: &Key,
) -> Option<Said<Waiting>> {
    match (redis, &settings.journal, settings.service) {
        (Some(Ok(redis)), ..) => Some(
            walked(Part::Journal, TOO_MANY, in_redis::waiting_of(redis, key))
                .await
                .map_err(unread),
        ),
        (Some(Err(unread)), ..) => Some(Err(unread.clone())),
        (None, JournalUrl::File(folder), Service::WriteBehind) => {
            Some(of_files(settings, folder, key))
        }
        (None, ..) => None,
    }
}

fn of_files(settings: &Settings, folder: &Path, key: &Key) -> Said<Waiting> {
    if in_files::is_in_use(folder) {
        return Err(in_use(format!(
            "a service has the journal open; GET {}/journal and /dead-letters show what waits",
            home(settings)
        )));
    }
    in_files::waiting_of(folder, key).map_err(unread)
}

fn at_cache(settings: &Settings) -> String {
    match &settings.cache {
        CacheUrl::Memory => "memory:".to_owned(),
        CacheUrl::Redis(url) => url.to_string(),
    }
}

fn at_journal(settings: &Settings) -> String {
    match (&settings.cache, &settings.journal) {
        (CacheUrl::Redis(url), _) => url.to_string(),
        (_, JournalUrl::File(folder)) => format!("file:{}", folder.display()),
        (CacheUrl::Memory, JournalUrl::WithCache) => String::new(),
    }
}

fn at_database(settings: &Settings) -> String {
    match &settings.database {
        DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        DatabaseUrl::Mysql(url) => url.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_walk_that_is_cut_off_has_a_reason_of_its_own() {
        let walked = walked(Part::Journal, TOO_MANY, pending::<Result<()>>()).await;
        let reason = walked.unwrap_err().to_string();
        assert!(reason.contains(TOO_MANY), "{reason}");
    }
}
