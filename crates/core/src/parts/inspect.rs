//! What each part of the settings holds of one name. Only reads. No part is waited for that is unavailable.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::cache::redis::inspect as in_cache;
use crate::dataset::Dataset;
use crate::error::{Error, Part, Result};
use crate::inspect::{CacheSaid, Findings, Said, Unread};
use crate::journal::Waiting;
use crate::journal::file::inspect as in_files;
use crate::journal::redis_stream::inspect as in_redis;
use crate::membership::Epoch;
use crate::record::Key;
use crate::redis::Redis;
use crate::settings::{Address, CacheUrl, DatabaseUrl, JournalUrl, Service, Settings};
use crate::startup;
use crate::store::inspect::{Names, Reader};
use crate::store::mysql::MysqlReader;
use crate::store::sqlite::SqliteReader;
use crate::tls;

/// How long one call may take.
const TIME_MAX: Duration = Duration::from_secs(10);
/// Why a walk over the journal was cut off.
const TOO_MANY: &str = "too many entries to search in 10 s";

/// Asks every part. The database's row comes last, so that an entry that is drained meanwhile is seen in
/// the journal, in the database, or in both.
pub(crate) async fn inspect(settings: &Settings, key: &Key) -> Result<Findings> {
    tls::install_provider();
    let mut database = open(settings).await;
    let names = match &mut database {
        Ok(reader) => reader.names().await.map_err(unread),
        Err(unread) => Err(unread.clone()),
    };
    let redis = redis(settings, &names).await?;
    let journal = journal(settings, redis.as_ref(), key).await;
    let cache = cache(redis.as_ref(), key).await;
    let row = match (&mut database, &names) {
        (Ok(reader), Ok(_)) => reader.row(key).await.map_err(unread),
        (Err(unread), _) => Err(unread.clone()),
        (_, Err(unread)) => Err(unread.clone()),
    };
    Ok(Findings {
        name: key.as_str().to_owned(),
        may_bypass: super::may_bypass(settings),
        is_bypassed: names.as_ref().is_ok_and(|names| names.is_bypassed),
        purged_through: names.map_or_else(|_| Default::default(), |names| names.purged_through),
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

async fn open(settings: &Settings) -> Said<Box<dyn Reader>> {
    match &settings.database {
        DatabaseUrl::Sqlite(path) if SqliteReader::is_in_use(path) => Err(in_use(format!(
            "a service has the file open; GET {}/users/NAME shows what it has",
            home(settings)
        ))),
        DatabaseUrl::Sqlite(path) => match SqliteReader::open(path).await {
            Ok(reader) => Ok(Box::new(reader)),
            Err(error) => Err(unread(error)),
        },
        DatabaseUrl::Mysql(url) => {
            let address = Address {
                url: url.clone(),
                tls: settings.database_tls.clone(),
            };
            match MysqlReader::open(address, TIME_MAX).await {
                Ok(reader) => Ok(Box::new(reader)),
                Err(error) => Err(unread(error)),
            }
        }
    }
}

/// Where the service of these settings is asked.
fn home(settings: &Settings) -> String {
    format!("http://{}", settings.listen)
}

/// The Redis of the settings with the names of the database's data. A database that is unavailable does
/// not tell them; then they are looked for in Redis.
async fn redis(settings: &Settings, names: &Said<Names>) -> Result<Option<Said<Arc<Redis>>>> {
    if matches!(settings.cache, CacheUrl::Memory) {
        return Ok(None);
    }
    let dataset = match names {
        Ok(names) => names.dataset.clone(),
        Err(_) => match search(settings).await {
            Ok(dataset) => dataset,
            Err(unread) => return Ok(Some(Err(unread))),
        },
    };
    let Some(redis) = super::reach::unconnected(settings, &dataset)? else {
        return Ok(None);
    };
    let epoch = match names {
        Ok(names) => Ok(names.epoch),
        Err(_) => by_time(redis.newest_epoch()).await.map(Epoch::new),
    };
    Ok(Some(match epoch {
        Ok(epoch) => {
            redis.enter(epoch, None);
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
    let mut found = by_time(found).await.map_err(unread)?;
    match (found.pop(), found.len()) {
        (Some(dataset), 0) => Ok(dataset),
        (found, more) => Err(unread(Error::unavailable(
            Part::Cache,
            format!(
                "it has data of {} databases of this name, and only the database knows its own",
                more + usize::from(found.is_some())
            ),
        ))),
    }
}

async fn by_time<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    startup::until(Instant::now() + TIME_MAX, Part::Cache, asked).await
}

/// A command of the walk that hangs fails by the timeout of Redis, for its own reason.
async fn walked<T>(walk: impl Future<Output = Result<T>>) -> Result<T> {
    let walked = tokio::time::timeout(TIME_MAX, walk).await;
    walked.unwrap_or_else(|_| Err(Error::unavailable(Part::Journal, TOO_MANY)))
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
            walked(in_redis::waiting_of(redis, key))
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
        let walked = walked(pending::<Result<()>>()).await;
        let reason = walked.unwrap_err().to_string();
        assert!(reason.contains(TOO_MANY), "{reason}");
    }
}
