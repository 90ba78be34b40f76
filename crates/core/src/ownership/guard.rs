//! A process's part in the binding. The process registers the place that it serves, renews the
//! registration, and does not use a Redis that belongs to another database.

mod contest;
mod state;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::binding::{
    Binding, BindingStore, Bound, Found, Likeness, Place, Verdict, in_words, judge, new_token,
};
use crate::concurrency::shared_attempt::Attempts;
use crate::error::{Error, Part, Result};
use crate::ownership::newest_of;
use crate::process::fault_point;
use crate::redis::{Ownership, Redis};
use crate::store::Store;
use crate::timing;

use state::State;

/// How many times a binding is judged at most, when other processes change it meanwhile.
const EXCHANGES_MAX: u32 = 8;

const PROBLEM: &str = "it belongs to another database, or to a newer state of this one";

/// The names of the process and of its program.
#[derive(Clone, Debug)]
pub struct GuardSettings {
    /// A name that no other process has.
    pub process: String,
    /// The program that has the subcommand `identity`. Messages to the operator name it.
    pub program: &'static str,
}

/// Guards the Redis of one database.
pub struct Guard {
    shared: Arc<Shared>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Guard({})", self.shared.settings.process)
    }
}

#[derive(Debug)]
struct Shared {
    redis: Arc<Redis>,
    database: Arc<dyn BindingStore>,
    store: Arc<dyn Store>,
    settings: GuardSettings,
    state: Mutex<State>,
    began: Instant,
    /// Until when this process may rely on its registration, in milliseconds since `began`.
    trusted_until_ms: AtomicU64,
    renewing: Attempts,
    /// Whether the process stops, and so must not register again.
    has_left: AtomicBool,
}

/// What the database and Redis have noted, and whether they may be bound.
struct Judged {
    mine: Bound,
    found: Found,
    verdict: Verdict,
}

impl Judged {
    /// What is in the way of binding.
    fn refusal(self) -> Option<Verdict> {
        match self.verdict {
            Verdict::Holds | Verdict::Binds => None,
            refused => Some(refused),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guard {
    /// Guards `redis`: from now on each of its links first asks whether it may be used.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn post(
        redis: &Redis,
        database: Arc<dyn BindingStore>,
        store: Arc<dyn Store>,
        settings: GuardSettings,
    ) -> Result<Guard> {
        let mine = database.bound().await?;
        let shared = Arc::new(Shared {
            redis: redis.unowned()?,
            database,
            store,
            settings,
            state: Mutex::new(State::of(mine)),
            began: Instant::now(),
            trusted_until_ms: AtomicU64::new(0),
            renewing: Attempts::default(),
            has_left: AtomicBool::new(false),
        });
        redis.owned_by(shared.clone());
        Ok(Guard {
            shared,
            tasks: Mutex::default(),
        })
    }

    /// Checks that database and Redis may be bound. Waits until registrations of dead processes
    /// expire, since they look like those of live processes.
    ///
    /// # Errors
    /// [`Error::BadSetting`] when the Redis is another database's; a sentence says why.
    pub async fn check(&self) -> Result<()> {
        self.while_served(|| self.shared.refusal_now()).await
    }

    /// Binds database and Redis before anything is served.
    ///
    /// # Errors
    /// As [`Guard::check`].
    pub async fn bind(&self) -> Result<()> {
        self.while_served(|| self.shared.settle()).await
    }

    async fn while_served<F>(&self, what: impl Fn() -> F) -> Result<()>
    where
        F: Future<Output = Result<Option<Verdict>>>,
    {
        let deadline =
            Instant::now() + timing::REGISTRATION_LIFETIME + timing::OTHER_PLACE_INTERVAL;
        loop {
            match what().await? {
                None => return Ok(()),
                Some(Verdict::Served(_) | Verdict::ServedByOlder) if Instant::now() < deadline => {
                    tokio::time::sleep(timing::OTHER_PLACE_INTERVAL).await;
                }
                Some(Verdict::Contends) => tokio::time::sleep(timing::OTHER_PLACE_INTERVAL).await,
                Some(verdict) => return Err(self.shared.refusal(&verdict)),
            }
        }
    }

    /// Asks the database and renews the registration regularly, until [`Guard::leave`].
    pub fn watch(&self) {
        let (database, redis) = (self.shared.clone(), self.shared.clone());
        let ask = tokio::spawn(async move {
            loop {
                tokio::time::sleep(timing::DATABASE_TOKEN_INTERVAL).await;
                database.ask_database().await;
            }
        });
        let renew = tokio::spawn(async move {
            loop {
                tokio::time::sleep(timing::REGISTRATION_INTERVAL).await;
                // `renew` logs its failures.
                let _ = redis.renewing.unless_done(|| None, redis.renew()).await;
            }
        });
        lock(&self.tasks).extend([ask, renew]);
    }

    /// Notes the database's newest version, and ends the registration of this process.
    pub async fn leave(&self) {
        for task in lock(&self.tasks).drain(..) {
            task.abort();
        }
        let shared = &self.shared;
        shared.has_left.store(true, Ordering::Release);
        shared.trusted_until_ms.store(0, Ordering::Release);
        let noted = tokio::time::timeout(timing::REGISTRATION_END_TIMEOUT, shared.ask_database());
        let resigned = tokio::time::timeout(timing::REGISTRATION_END_TIMEOUT, async {
            // IMPORTANT: a renewal that is under way ends first. It would register the process
            // again.
            let ended = shared.renewing.unless_done(|| None, async { Ok(()) });
            let _: Result<()> = ended.await;
            shared.redis.resign(&shared.settings.process).await
        });
        // If this fails, others wait until the registration expires.
        let _ = tokio::join!(noted, resigned);
    }
}

impl Shared {
    /// Keeps what the database reports about itself, and notes its newest version.
    async fn ask_database(&self) {
        let Ok(mine) = self.bound().await else {
            return;
        };
        self.object(&mine).await;
        let noted = mine.newest;
        let is_older = {
            let mut state = lock(&self.state);
            state.mine = mine.clone();
            state.is_older
        };
        if is_older {
            // `renew` logs what it finds. The newest version that an older state has noted stays.
            let _ = self.renewing.unless_done(|| None, self.renew()).await;
            return;
        }
        self.keep_noted(&mine).await;
        let newest = self.store.newest_written();
        if newest > noted {
            match self.database.note_newest(newest).await {
                Ok(()) => {
                    let mut state = lock(&self.state);
                    state.newest = state.newest.max(newest);
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot note the newest version in the database");
                }
            }
        }
    }

    /// What the database reports. Also finds out whether the database is in an older state than
    /// before.
    async fn bound(&self) -> Result<Bound> {
        // IMPORTANT: `newest` is read before the database is asked. Answers may come out of order.
        let newest = lock(&self.state).newest;
        let mine = self.database.bound().await?;
        let mut state = lock(&self.state);
        if mine.newest < newest {
            state.is_older = true;
        }
        state.newest = state.newest.max(mine.newest);
        Ok(mine)
    }

    /// Renews the registration.
    async fn renew(&self) -> Result<()> {
        if self.has_left.load(Ordering::Acquire) {
            return Err(Error::unavailable(Part::Cache, "this process stops"));
        }
        let (mine, held, is_older) = {
            let state = lock(&self.state);
            (state.mine.clone(), state.held.clone(), state.is_older)
        };
        let binding = mine.binding();
        let asked_at = Instant::now();
        if !is_older && held == binding && mine.identity == self.store.identity() {
            let process = &self.settings.process;
            let same = (held.as_str(), held.as_str());
            if self.redis.claim(same, process, &mine, false).await? {
                self.trust(asked_at, mine, held);
                return Ok(());
            }
        }
        match self.settle().await? {
            None => Ok(()),
            Some(Verdict::Served(other)) if self.follows(&other, &held, &mine).await? => Ok(()),
            Some(verdict) => Err(self.refuse(&verdict).await),
        }
    }

    /// Whether the processes that serve the database at `other` may be about to find that the
    /// database has moved. They get the time that they need to ask for its place.
    async fn follows(&self, other: &Place, held: &str, mine: &Bound) -> Result<bool> {
        if held.is_empty() || mine.place.likeness(other) != Likeness::Alike {
            return Ok(false);
        }
        let asked_at = Instant::now();
        let process = &self.settings.process;
        let follows = self.redis.claim((held, held), process, mine, false).await?;
        if follows {
            self.trust(asked_at, mine.clone(), held.to_owned());
        }
        Ok(follows)
    }

    /// Asks Redis and the database, and judges what they answer.
    async fn judged(&self) -> Result<Judged> {
        let found = self.redis.look(&self.settings.process).await?;
        // IMPORTANT: the database is read after Redis, so that its answer has all that Redis has
        // noted as committed.
        let mut mine = self.bound().await?;
        let noted = mine.newest;
        mine.newest = newest_of(&*self.store, noted, found.committed).await?;
        let mut state = lock(&self.state);
        if found.stored.is_empty() {
            // A Redis that was emptied has no values of a newer state.
            (state.newest, state.is_older) = (noted, false);
        }
        let in_use = self.store.dataset().shards;
        let verdict = if mine.identity != self.store.identity() {
            Verdict::Rebound(mine.place.clone())
        } else if mine.shards != in_use {
            Verdict::Resharded {
                in_use,
                stated: mine.shards,
            }
        } else if state.is_older {
            Verdict::Older
        } else {
            let kinship = state.kinship(&mine, &found);
            judge(&mine, &found, kinship, !state.held.is_empty())
        };
        Ok(Judged {
            mine,
            found,
            verdict,
        })
    }

    /// What would be in the way of binding. Binds nothing, but may note a contender.
    async fn refusal_now(&self) -> Result<Option<Verdict>> {
        let judged = self.judged().await?;
        match judged.verdict {
            Verdict::Takes => self.contest(&judged.mine, &judged.found).await,
            _ => Ok(judged.refusal()),
        }
    }

    /// Binds database and Redis, if they may be bound. Returns what is in the way.
    async fn settle(&self) -> Result<Option<Verdict>> {
        for _ in 0..EXCHANGES_MAX {
            let asked_at = Instant::now();
            let Judged {
                mut mine,
                found,
                verdict,
            } = self.judged().await?;
            match verdict {
                Verdict::Holds => {}
                Verdict::Binds => {
                    if !self.exchange(&mut mine, &found.stored).await? {
                        continue;
                    }
                }
                Verdict::Takes => {
                    if let Some(verdict) = self.contest(&mine, &found).await? {
                        return Ok(Some(verdict));
                    }
                    // IMPORTANT: if this is another Redis, the previous Redis keeps the old token.
                    if !self.renew_token(&mut mine).await? {
                        continue;
                    }
                }
                refused => return Ok(Some(refused)),
            }
            let Some(noted) = self.note(&mine, &found).await? else {
                continue;
            };
            let next = mine.binding();
            let exchange = (found.stored.as_str(), next.as_str());
            let process = &self.settings.process;
            if self.redis.claim(exchange, process, &mine, true).await? {
                mine.served_by = noted.encode();
                lock(&self.state).noted = Some(noted);
                self.trust(asked_at, mine, next);
                return Ok(None);
            }
        }
        Err(Error::unavailable(
            Part::Cache,
            "other processes exchange its binding",
        ))
    }

    /// Gives a database that has moved another token, unless it got one before a crash. Returns
    /// false if another process has exchanged the token meanwhile.
    async fn exchange(&self, mine: &mut Bound, stored: &str) -> Result<bool> {
        let Some(before) = Binding::parse(stored) else {
            return Ok(true);
        };
        if before.is_of_older() && before.token == mine.token && before.place == mine.place {
            tracing::info!("an older version has used this Redis; none of its processes is alive");
            return Ok(true);
        }
        if before.token == mine.token && !self.renew_token(mine).await? {
            return Ok(false);
        }
        fault_point::point("binding.exchanged").await;
        tracing::warn!(
            before = %before.place,
            now = %mine.place,
            "the database has moved; this Redis is bound to it at its new place"
        );
        Ok(true)
    }

    /// Exchanges the token in the database. Returns false if another process has done so meanwhile.
    async fn renew_token(&self, mine: &mut Bound) -> Result<bool> {
        let token = new_token();
        if !self.database.exchange(&mine.token, &token).await? {
            return Ok(false);
        }
        mine.previous = std::mem::replace(&mut mine.token, token);
        Ok(true)
    }

    fn trust(&self, asked_at: Instant, mine: Bound, held: String) {
        let until = (asked_at + timing::REGISTRATION_TRUST_LIFETIME).duration_since(self.began);
        let was_refused = {
            let mut state = lock(&self.state);
            state.mine = mine;
            state.held = held;
            state.contends_since = None;
            state.refused.take().is_some()
        };
        self.trusted_until_ms
            .fetch_max(until.as_millis() as u64, Ordering::AcqRel);
        if was_refused {
            tracing::info!("this Redis belongs to this database again");
        }
    }

    /// Stops using the Redis and ends the registration. With both registered, two processes that
    /// move with their database would wait for each other.
    async fn refuse(&self, verdict: &Verdict) -> Error {
        self.trusted_until_ms.store(0, Ordering::Release);
        let refusal = Error::unavailable(Part::Cache, self.in_words(verdict));
        let before = lock(&self.state)
            .refused
            .replace((refusal.clone(), Instant::now()));
        let is_new = before.is_none_or(|(before, _)| before.to_string() != refusal.to_string());
        if is_new {
            tracing::error!(error = %refusal, "this process no longer uses this Redis");
        }
        if let Err(error) = self.redis.resign(&self.settings.process).await {
            tracing::debug!(%error, "cannot end the registration; it expires");
        }
        refusal
    }

    fn refusal(&self, verdict: &Verdict) -> Error {
        Error::BadSetting {
            key: "DATABASE_URL",
            reason: self.in_words(verdict).into(),
        }
    }

    fn in_words(&self, verdict: &Verdict) -> String {
        let mine = lock(&self.state).mine.place.clone();
        in_words(verdict, &mine, self.settings.program)
    }
}

#[async_trait]
impl Ownership for Shared {
    fn is_current(&self) -> bool {
        let until = Duration::from_millis(self.trusted_until_ms.load(Ordering::Acquire));
        self.began.elapsed() < until
    }

    async fn confirm(&self) -> Result<()> {
        let renew = async {
            let refused = lock(&self.state).refused.clone();
            match refused {
                Some((refusal, since))
                    if since.elapsed() < timing::REGISTRATION_REFUSAL_LIFETIME =>
                {
                    Err(refusal)
                }
                _ => self.renew().await,
            }
        };
        let done = || self.is_current().then_some(());
        self.renewing.unless_done(done, renew).await
    }

    async fn register(&self) -> Result<()> {
        self.renewing.unless_done(|| None, self.renew()).await
    }

    fn problem(&self) -> Option<&'static str> {
        lock(&self.state).refused.is_some().then_some(PROBLEM)
    }
}
