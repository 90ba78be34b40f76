//! The subcommands for a database that was copied, moved or restored: showing what it is bound
//! to, giving it another identity, and handing it the binding.

use tokio::time::Instant;

use crate::binding::{
    Binding, Bound, Found, Kinship, Likeness, Place, ServedBy, Verdict, in_words, judge, new_token,
    used_otherwise,
};
use crate::error::{Error, Result};
use crate::ownership::claim::Taken;
use crate::ownership::newest_of;
use crate::parts::{self, Database};
use crate::redis::Redis;
use crate::settings::{IdentityAction, Settings};
use crate::store::claim::Usage;
use crate::timing;

/// The process name of the registration under which the binding is handed over.
const PROCESS: &str = "identity move";

/// Runs the subcommand. Returns the text to print.
///
/// # Errors
/// [`Error::BadSetting`] with a sentence when it must not be done now.
pub async fn run(settings: &Settings, action: IdentityAction) -> Result<String> {
    let deadline = settings.startup_by();
    let database = parts::open_database(settings, deadline).await?;
    let redis = parts::open_redis(settings, database.store.dataset(), deadline).await?;
    match action {
        IdentityAction::Show => show(settings, &database, redis.as_deref()).await,
        IdentityAction::New => renew(settings, &database, redis.as_deref()).await,
        IdentityAction::Move => hand_over(settings, &database, redis.as_deref()).await,
    }
}

async fn show(settings: &Settings, database: &Database, redis: Option<&Redis>) -> Result<String> {
    let mut mine = database.binding.bound().await?;
    let mut text = format!("identity  {}\ndatabase  {}\n", mine.identity, mine.place);
    let Some(redis) = redis else {
        return Ok(text);
    };
    let found = redis.look("").await?;
    mine.newest = newest_of(&*database.store, mine.newest, found.committed).await?;
    let serving = |place_is_mine: bool| {
        let others = found.others.iter();
        others
            .filter(|place| (**place == mine.place) == place_is_mine)
            .count()
    };
    let verdict = match judge(&mine, &found, mine.kinship(&found), false) {
        Verdict::Holds => "this Redis belongs to this database".to_owned(),
        Verdict::Binds | Verdict::Takes => {
            "this Redis will be bound to this database at the next start".to_owned()
        }
        verdict => in_words(&verdict, &mine.place, settings.service.binary()),
    };
    text += &format!(
        "Redis     {}\nkeys      {}\nprocesses {} serve this database, {} another one of this identity\n\
         waiting   {} journal entries and dead letters\n{verdict}\n",
        redis.at(),
        crate::redis::patterns(&mine.identity).join(" "),
        serving(true),
        serving(false),
        found.waiting + found.left,
    );
    Ok(text)
}

/// Gives a copy an identity of its own.
async fn renew(settings: &Settings, database: &Database, redis: Option<&Redis>) -> Result<String> {
    let mine = database.binding.bound().await?;
    let journal = parts::open_file_journal(settings)?;
    let mut waiting = match &journal {
        Some(journal) if journal.belongs_to(&mine, settings.service.binary()).is_ok() => {
            journal.waiting()
        }
        _ => 0,
    };
    if let Some(redis) = redis {
        let found = unserved(redis, &mine, |found| {
            let mut others = found.others.iter();
            others.find(|other| **other == mine.place)
        })
        .await?;
        let bound = Binding::parse(&found.stored);
        if bound.is_some_and(|bound| {
            bound.token == mine.token && bound.place.likeness(&mine.place) != Likeness::Other
        }) {
            waiting = found.waiting + found.left;
        }
    }
    if waiting > 0 {
        return Err(refused(format!(
            "{waiting} acknowledged writes wait for this database, {}, under its present identity: \
             start the service and let it drain them first",
            mine.place
        )));
    }
    database.binding.renew_identity().await?;
    let renewed = database.binding.bound().await?;
    if let Some(journal) = &journal
        && journal.waiting() == 0
    {
        journal.hand_over(&renewed)?;
    }
    Ok(format!(
        "the database {} has the identity {} instead of {}: it shares no cached value and no \
         journal entry with any other database\n",
        mine.place, renewed.identity, mine.identity
    ))
}

/// Hands Redis and journal to a database that was moved or restored.
async fn hand_over(
    settings: &Settings,
    database: &Database,
    redis: Option<&Redis>,
) -> Result<String> {
    let mine = database.binding.bound().await?;
    let mut waiting = match parts::open_file_journal(settings)? {
        Some(journal) => journal.hand_over(&mine)?,
        None => 0,
    };
    let mut forgotten = String::new();
    if let Some(redis) = redis {
        let found = unserved(redis, &mine, |found| found.others.first()).await?;
        spread_alike(settings, &mine, &found)?;
        let is_other = matches!(mine.kinship(&found), Kinship::Restarted | Kinship::Other);
        let _alone = leave_before(settings, &mine, is_other, &mut forgotten).await?;
        let epoch = redis.newest_epoch().await?;
        // IMPORTANT: the database first. After a crash at any step a start is refused, and the
        // subcommand may be repeated.
        database.binding.begin_epoch_after(epoch).await?;
        if !database.binding.exchange(&mine.token, &new_token()).await? {
            return Err(changed());
        }
        let mine = database.binding.bound().await?;
        let noted = ServedBy {
            cache: found.cache,
            place: mine.place.clone(),
            contender: None,
        };
        let binding = &database.binding;
        if !binding.note_cache(&mine.served_by, &noted.encode()).await? {
            return Err(changed());
        }
        redis.forget_committed().await?;
        let found = redis.look(PROCESS).await?;
        let next = mine.binding();
        let exchange = (found.stored.as_str(), next.as_str());
        if !redis.claim(exchange, PROCESS, &mine, true).await? {
            return Err(changed());
        }
        redis.resign(PROCESS).await?;
        waiting = found.waiting;
        forgotten += "; what it had cached and the database holds is forgotten";
    } else if mine.noted().is_some() {
        let _alone = leave_before(settings, &mine, true, &mut forgotten).await?;
        // What that Redis has cached must not be used if it serves the database again later.
        database.binding.begin_epoch_after(0).await?;
        if !database.binding.note_cache(&mine.served_by, "").await? {
            return Err(changed());
        }
    }
    Ok(format!(
        "the database {} of the identity {} has the binding now{forgotten}\n{waiting} entries wait \
         in the journal and go to this database at the next start of write-behind-svc\n",
        mine.place, mine.identity
    ))
}

/// Checks that Redis has the data under the names that this version uses.
fn spread_alike(settings: &Settings, mine: &Bound, found: &Found) -> Result<()> {
    let bound = Binding::parse(&found.stored);
    let refusal = bound.and_then(|bound| used_otherwise(&bound, mine, found));
    refusal.map_or(Ok(()), |verdict| {
        let program = settings.service.binary();
        Err(refused(in_words(&verdict, &mine.place, program)))
    })
}

/// Takes the database for this process alone, if another Redis than before is to serve it, or none:
/// processes may be registered in the Redis before. Adds to `said` what stays behind there.
async fn leave_before(
    settings: &Settings,
    mine: &Bound,
    is_other: bool,
    said: &mut String,
) -> Result<Option<Taken>> {
    match mine.noted() {
        Some(noted) if is_other => {
            *said += &format!("; what waits in the Redis {} stays there", noted.cache);
            alone(settings).await
        }
        _ => Ok(None),
    }
}

/// Takes the database for this process alone. (A SQLite file is locked already.)
pub(crate) async fn alone(settings: &Settings) -> Result<Option<Taken>> {
    match parts::claim(settings, Usage::Alone, settings.startup_by()).await {
        Err(Error::BadSetting { .. }) => Err(refused(
            "a process uses this database: stop all services first".to_owned(),
        )),
        taken => taken,
    }
}

/// What Redis knows once `served` names no place. Waits for the registrations of dead processes.
pub(crate) async fn unserved(
    redis: &Redis,
    mine: &Bound,
    served: impl Fn(&Found) -> Option<&Place>,
) -> Result<Found> {
    let deadline = Instant::now() + timing::REGISTRATION_LIFETIME + timing::LIVE_PROCESSES_INTERVAL;
    loop {
        let found = redis.look(PROCESS).await?;
        match served(&found) {
            None => return Ok(found),
            Some(place) if Instant::now() > deadline => {
                return Err(refused(format!(
                    "processes serve the database {place}, of the same identity as {}: stop them \
                     first",
                    mine.place
                )));
            }
            Some(_) => tokio::time::sleep(timing::LIVE_PROCESSES_INTERVAL).await,
        }
    }
}

fn refused(reason: String) -> Error {
    Error::BadSetting {
        key: "DATABASE_URL",
        reason: reason.into(),
    }
}

fn changed() -> Error {
    refused("another process has changed the binding meanwhile: stop all services first".to_owned())
}
