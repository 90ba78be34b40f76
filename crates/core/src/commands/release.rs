//! The subcommand `release`, for a service that is no longer used. It removes the row by which the
//! service relies on its cache for good, so that the other service may bypass that cache again.

use crate::binding::{Bound, Verdict, in_words, judge};
use crate::commands::identity::{alone, unserved};
use crate::error::{Error, Result};
use crate::ownership::newest_of;
use crate::parts::{self, Database};
use crate::redis::Redis;
use crate::settings::Settings;

/// Runs the subcommand. Returns the text to print.
///
/// # Errors
/// [`Error::BadSetting`] with the reason when a process uses the database, or when the service's
/// journal may hold something that the database lacks.
pub async fn run(settings: &Settings) -> Result<String> {
    let deadline = settings.startup_by();
    let database = parts::open_database(settings, deadline).await?;
    let redis = parts::open_redis(settings, database.store.dataset(), deadline).await?;
    // IMPORTANT: kept until the row is removed. A process that starts meanwhile is refused.
    let _alone = alone(settings).await?;
    let mine = database.binding.bound().await?;
    let mut waiting = waiting_in_files(settings)?;
    if let Some(redis) = redis {
        waiting += waiting_in(&redis, mine.clone(), &database, settings).await?;
    }
    if waiting > 0 {
        return Err(refused(format!(
            "{waiting} acknowledged writes and dead letters wait in the journal for this database, {}: \
             start the service, let it drain them, and replay or delete the dead letters",
            mine.place
        )));
    }
    let binary = settings.service.binary();
    let holder = parts::holder(settings.service);
    Ok(match database.membership.leave(holder).await? {
        true => format!(
            "nothing waits in the journal, and the database {} no longer records that {binary} \
             relies on its cache\n",
            mine.place
        ),
        false => format!(
            "the database {} does not record that {binary} relies on its cache\n",
            mine.place
        ),
    })
}

/// How much waits in the file journal, if there is one. It may be open in a process that has lost
/// the database, and with that its lock there.
fn waiting_in_files(settings: &Settings) -> Result<u64> {
    match parts::open_file_journal(settings) {
        Ok(journal) => Ok(journal.map_or(0, |journal| journal.waiting())),
        Err(error @ Error::Unavailable { .. }) => {
            Err(refused(format!("{error}: stop all services first")))
        }
        Err(error) => Err(error),
    }
}

/// How much waits in the Redis, which must be the one that the service last used.
async fn waiting_in(
    redis: &Redis,
    mut mine: Bound,
    database: &Database,
    settings: &Settings,
) -> Result<u64> {
    let found = unserved(redis, &mine, |found| found.others.first()).await?;
    mine.newest = newest_of(&*database.store, mine.newest, found.committed).await?;
    match judge(&mine, &found, mine.kinship(&found), false) {
        Verdict::Holds => Ok(found.waiting),
        Verdict::Binds | Verdict::Takes => Err(refused(format!(
            "this Redis, {}, is not bound to the database {}, so it cannot tell what waits for it: \
             name the Redis that the service has used, or start and stop the service once",
            redis.at(),
            mine.place
        ))),
        verdict => {
            let program = settings.service.binary();
            Err(refused(in_words(&verdict, &mine.place, program)))
        }
    }
}

fn refused(reason: String) -> Error {
    Error::BadSetting {
        key: "DATABASE_URL",
        reason: reason.into(),
    }
}
