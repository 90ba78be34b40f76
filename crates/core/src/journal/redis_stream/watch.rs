//! Watching whether the server is set up as the journal needs it.
//!
//! An operator may change that while the service runs, and another server may
//! take its place. Appends are refused while it is wrong, and only those: what
//! waits is drained, which saves it. Nothing is appended in a run of the server
//! that was not looked at within [`crate::timing::REDIS_JOURNAL_LOOK_LIFETIME`], over whichever connection.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Part, Result};
use crate::journal::redis_stream::WaitFor;
use crate::journal::redis_stream::server::{Durable, Unsuited};
use crate::journal::redis_stream::stream::Stream;
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::redis::{Configuration, Direction, Link, Redis, page, versions};
use crate::timing;

/// The watcher's name in the admission.
const SOURCE: &str = "journal";

#[derive(Debug)]
pub(super) struct Watch {
    redis: Arc<Redis>,
    appends: Arc<Redis>,
    wait_for: WaitFor,
    last: Mutex<Option<Look>>,
    looking: tokio::sync::Mutex<()>,
    appended: Notify,
}

/// What was seen.
#[derive(Clone, Debug)]
struct Look {
    at: Instant,
    run: String,
    configuration: Configuration,
}

impl Watch {
    pub(super) fn new(redis: Arc<Redis>, appends: Arc<Redis>, wait_for: WaitFor) -> Watch {
        Watch {
            redis,
            appends,
            wait_for,
            last: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            appended: Notify::new(),
        }
    }

    /// Looks until the returned value is dropped.
    pub(super) fn start(self: &Arc<Watch>) -> AbortOnDropHandle<()> {
        let watch = self.clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                let is_wrong = watch.redis.admission().check().is_err()
                    || watch.redis.evictions().is_any_suspect();
                if !is_wrong {
                    let appended = watch.appended.notified();
                    let _ =
                        tokio::time::timeout(timing::REDIS_JOURNAL_IDLE_INTERVAL, appended).await;
                }
                if let Err(error) = watch.look_now().await {
                    tracing::debug!(%error, "cannot see how the journal's server is set up");
                }
                tokio::time::sleep(timing::REDIS_JOURNAL_INTERVAL).await;
            }
        }))
    }

    /// Whether something may be appended over `link`.
    ///
    /// # Errors
    /// [`crate::error::Error::NotAdmitted`]; any other when the server cannot be
    /// looked at. Nothing was appended.
    pub(super) async fn admits(&self, link: &mut Link) -> Result<()> {
        self.appended.notify_one();
        if !self.is_fresh(link) {
            // Boxed, so that the futures of most appends are small.
            Box::pin(self.look_unless_fresh(link)).await?;
        }
        self.redis.admission().check()
    }

    async fn look_unless_fresh(&self, link: &mut Link) -> Result<()> {
        let _one = self.looking.lock().await;
        if self.is_fresh(link) {
            return Ok(());
        }
        self.look(link).await.map(drop)
    }

    /// How the server is set up now, and what is wrong with that or was when it was
    /// last looked at. Waits for no append.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) async fn now(&self) -> Result<(Configuration, Option<String>)> {
        let mut link = self.redis.link(Part::Journal).await?;
        let configuration = Configuration::ask(&mut link).await?;
        let unsuited = Unsuited::judge(&configuration, self.wait_for);
        let refused = self.redis.admission().problem();
        let problem = refused.or(unsuited.map(|unsuited| unsuited.problem));
        Ok((configuration, problem))
    }

    async fn look_now(&self) -> Result<Configuration> {
        let mut link = self.appends.link(Part::Journal).await?;
        let _one = self.looking.lock().await;
        self.look(&mut link).await
    }

    fn is_fresh(&self, link: &Link) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().is_some_and(|last| {
            last.run == link.server_run() && last.at.elapsed() < timing::REDIS_JOURNAL_LOOK_LIFETIME
        })
    }

    async fn look(&self, link: &mut Link) -> Result<Configuration> {
        let at = Instant::now();
        let configuration = Configuration::ask(link).await?;
        let last = self.last.lock();
        let before = last.unwrap_or_else(PoisonError::into_inner).clone();
        self.judge(&configuration);
        if configuration.is_replica {
            // Readers, too, have to find the server that took its place.
            self.redis.reopen();
        }
        if let Some(before) = &before {
            report(&before.configuration, &configuration, self.wait_for);
        }
        self.suspect(link, before.as_ref(), &configuration).await?;
        // Only now: what was not suspected, as the server did not answer, has to be.
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Look {
            at,
            run: link.server_run().to_owned(),
            configuration: configuration.clone(),
        });
        Ok(configuration)
    }

    fn judge(&self, configuration: &Configuration) {
        let admission = self.redis.admission();
        match Unsuited::judge(configuration, self.wait_for) {
            Some(unsuited) => {
                if admission.refuse(SOURCE, unsuited.problem.as_str()) {
                    let problem = unsuited.problem;
                    tracing::warn!(%problem, "writes are refused until this is put right; what waits in the journal is drained");
                }
            }
            None => {
                if admission.allow(SOURCE) {
                    tracing::info!("the journal's Redis is set up as it should be again");
                }
            }
        }
    }

    /// What may have been evicted from the cache although only the journal has it.
    async fn suspect(
        &self,
        link: &mut Link,
        before: Option<&Look>,
        now: &Configuration,
    ) -> Result<()> {
        let evictions = self.redis.evictions();
        let same_run = before.filter(|before| before.run == link.server_run());
        let evicted_before = same_run.map_or(0, |before| before.configuration.evicted_keys);
        let has_evicted = now.evicted_keys > evicted_before;
        let could_before = same_run.is_some_and(|before| before.configuration.may_evict_anything());
        // One that evicted nothing before, nor does now, and has, could in between.
        let could_between = now.evicts_nothing()
            && same_run.is_none_or(|before| before.configuration.evicts_nothing());
        let could = now.may_evict_anything() || could_before || could_between;
        for shard in (0..self.redis.keyspace.shards()).map(Shard) {
            let is_over = could_before && !now.may_evict_anything();
            let may_miss = has_evicted && could;
            if !may_miss && !evictions.is_suspect(shard) {
                continue;
            }
            let state = Stream::ask(link, &self.redis.keyspace, shard).await?;
            if may_miss || is_over {
                let until = match now.may_evict_anything() {
                    true => Version::MAX,
                    false => state.newest,
                };
                evictions.suspect(shard, until);
            }
            // Without its stream, what the cache has yet of it must be brought back first.
            if state.exists {
                let from = ("-", Direction::Up);
                let oldest = page(link, &self.redis, shard, from, (1, Version::ZERO)).await?;
                let oldest = oldest.entries.first().and_then(versions);
                evictions.waits(shard, oldest.map(|(first, _)| first));
            }
        }
        Ok(())
    }
}

/// Logs when an acknowledged write survives less, or more, than before.
fn report(before: &Configuration, now: &Configuration, wait_for: WaitFor) {
    let durability = now.durability(wait_for);
    match now.rank().cmp(&before.rank()) {
        std::cmp::Ordering::Less => {
            tracing::warn!(%durability, "what the journal's Redis survives has become less");
        }
        std::cmp::Ordering::Greater => {
            tracing::info!(%durability, "what the journal's Redis survives has become more");
        }
        std::cmp::Ordering::Equal => {}
    }
}
