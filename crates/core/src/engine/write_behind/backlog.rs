//! The bound on what may wait in the journal, and how fast it gets less.

mod in_flight;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::model::dead_letter::max_of_shard;
use crate::model::record::Write;
use crate::model::shard::ShardStats;
use crate::telemetry;
use crate::timing;

use in_flight::InFlight;

/// What is to be free again when a refused writer comes back.
const ROOM: f64 = 0.1;
/// From how many entries on their mean size says something about others.
const TYPICAL_ENTRIES: u64 = 100;
const OF_ENTRIES: &str = "its limit of entries is reached";
const OF_ENTRIES_WITH_REFUSED: &str = "its limit of entries is reached, with refused writes that wait for room among the dead letters";
const OF_BYTES: &str = "its limit of bytes is reached";
const OF_BYTES_WITH_REFUSED: &str =
    "its limit of bytes is reached, with refused writes that wait for room among the dead letters";

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct BacklogLimits {
    /// Entries, and with them refused writes that are held back, in all shards.
    pub entries: u64,
    /// Bytes that those take in the journal.
    pub bytes: u64,
    /// Age of the oldest entry, not of what is held back.
    pub age: Duration,
    /// Dead letters in all shards; each has its part. At this limit no write is refused: what the database
    /// refuses is held back.
    pub dead_letters: u64,
}

/// Watches the journal and refuses writes when it is full.
#[derive(Debug)]
pub struct Backlog {
    journal: Arc<dyn Journal>,
    limits: BacklogLimits,
    latest: Mutex<Latest>,
    in_flight: InFlight,
    appended: Notify,
}

/// Room in the journal for one admitted write. Drop it after the journal counts the write.
#[derive(Debug)]
pub struct Reserved {
    backlog: Arc<Backlog>,
    bytes: u64,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.backlog.in_flight.end(self.bytes);
    }
}

/// What the journal last said.
#[derive(Debug)]
struct Latest {
    at: Instant,
    depth: u64,
    bytes: u64,
    dead: u64,
    held_back: u64,
    held_back_bytes: u64,
    oldest_age: Duration,
    /// Entries a second, by shard.
    rates: Vec<f64>,
    drained: Vec<u64>,
    warned_at: Option<Instant>,
    warned_of_dead_letters_at: Option<Instant>,
}

impl Backlog {
    /// Begins to watch `journal`, for as long as the task runs.
    pub fn watch(
        journal: Arc<dyn Journal>,
        limits: BacklogLimits,
    ) -> (Arc<Backlog>, JoinHandle<()>) {
        let backlog = Arc::new(Backlog {
            latest: Mutex::new(Latest {
                at: Instant::now(),
                depth: 0,
                bytes: 0,
                dead: 0,
                held_back: 0,
                held_back_bytes: 0,
                oldest_age: Duration::ZERO,
                rates: vec![0.0; journal.shards().into()],
                drained: Vec::new(),
                warned_at: None,
                warned_of_dead_letters_at: None,
            }),
            journal,
            limits,
            in_flight: InFlight::default(),
            appended: Notify::new(),
        });
        telemetry::journal_limits(
            limits.entries,
            limits.bytes,
            limits.age,
            limits.dead_letters,
        );
        let task = tokio::spawn(backlog.clone().run());
        (backlog, task)
    }

    /// Something was appended.
    pub fn appended(&self) {
        self.appended.notify_one();
    }

    /// Reserves room for a write. What other processes append is known only a moment later, so
    /// several processes may together go over a limit by what the others have in flight.
    ///
    /// # Errors
    /// [`Error::Full`].
    pub fn admit(self: &Arc<Backlog>, write: &Write) -> Result<Reserved> {
        let bytes = write.size_bytes() as u64 + self.journal.entry_overhead_bytes();
        self.in_flight.begin(bytes);
        if let Err(full) = self.check() {
            self.in_flight.refuse(bytes);
            return Err(full);
        }
        Ok(Reserved {
            backlog: self.clone(),
            bytes,
        })
    }

    /// Whether all writes in flight may be appended.
    fn check(&self) -> Result<()> {
        // IMPORTANT: before the journal's figures. A write that ends in between counts twice, not never.
        let (entries, bytes) = (self.in_flight.entries(), self.in_flight.bytes());
        let depth = self.journal.depth();
        let latest = self.latest();
        let waiting = depth + latest.held_back;
        let full = |what, used: u64, limit: u64| Error::Full {
            what,
            retry_after: match waiting {
                0 => timing::RETRY_AFTER_BACKOFF_MIN,
                _ => latest.until_room(depth, used as f64 / limit as f64),
            },
        };
        let (used, limit) = (waiting + entries, self.limits.entries);
        if used > limit {
            let what = match depth + entries > limit {
                true => OF_ENTRIES,
                false => OF_ENTRIES_WITH_REFUSED,
            };
            return Err(full(what, used, limit));
        }
        // An empty journal takes one write, however large.
        let (of_entries, limit) = (self.bytes(depth, &latest) + bytes, self.limits.bytes);
        let used = of_entries + latest.held_back_bytes;
        if used > limit && waiting + entries > 1 {
            let what = match of_entries > limit {
                true => OF_BYTES,
                false => OF_BYTES_WITH_REFUSED,
            };
            return Err(full(what, used, limit));
        }
        if depth > 0
            && latest.depth > 0
            && latest.oldest_age + latest.at.elapsed() >= self.limits.age
        {
            return Err(full(
                "its oldest entry is as old as it may be",
                depth,
                depth,
            ));
        }
        Ok(())
    }

    /// The bytes of the `depth` entries that wait.
    fn bytes(&self, depth: u64, latest: &Latest) -> u64 {
        if let Some(bytes) = self.journal.bytes() {
            return bytes;
        }
        let scaled = match (depth, latest.depth) {
            (0, _) => return 0,
            // Too few to estimate the size of an entry.
            (_, 0..TYPICAL_ENTRIES) => latest.bytes,
            // Other processes have appended. Their entries are taken to have the mean size.
            (depth, known) => (latest.bytes as f64 * (depth as f64 / known as f64)) as u64,
        };
        scaled.max(latest.bytes + self.in_flight.unheard_bytes())
    }

    /// When to come back after the journal's server had no room itself.
    pub fn retry_after(&self) -> Duration {
        self.latest().until_room(self.journal.depth(), 1.0)
    }

    /// Entries that are drained a second, by shard, lately.
    pub fn drain_rates(&self) -> Vec<f64> {
        self.latest().rates.clone()
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self: Arc<Self>) {
        loop {
            self.in_flight.ask();
            match self.journal.stats().await {
                Ok(stats) => {
                    self.take(&stats);
                    self.in_flight.heard();
                }
                Err(error) => tracing::debug!(%error, "the journal does not say how much waits"),
            }
            let idle = {
                let latest = self.latest();
                latest.depth + latest.held_back == 0 && latest.rates.iter().all(|rate| *rate < 1.0)
            };
            if idle {
                self.appended.notified().await;
            }
            tokio::time::sleep(timing::BACKLOG_INTERVAL).await;
        }
    }

    fn take(&self, stats: &[ShardStats]) {
        let mut latest = self.latest();
        let now = Instant::now();
        latest.update(stats, now);
        let warn = latest.oldest_age >= timing::BACKLOG_WARNING_INTERVAL
            && latest
                .warned_at
                .is_none_or(|warned| now - warned >= timing::BACKLOG_WARNING_INTERVAL);
        if warn {
            latest.warned_at = Some(now);
            tracing::warn!(
                entries = latest.depth,
                bytes = latest.bytes,
                oldest_age_s = latest.oldest_age.as_secs(),
                "writes have been waiting in the journal for long"
            );
        }
        self.warn_of_dead_letters(&mut latest, now);
        telemetry::journal(Some(stats));
    }

    fn warn_of_dead_letters(&self, latest: &mut Latest, now: Instant) {
        let is_at_limit = latest.held_back > 0;
        match (is_at_limit, latest.warned_of_dead_letters_at) {
            (true, Some(warned)) if now - warned < timing::BACKLOG_WARNING_INTERVAL => {}
            (true, _) => {
                latest.warned_of_dead_letters_at = Some(now);
                tracing::warn!(
                    limit = self.dead_letters_max_of_shard(),
                    dead_letters = latest.dead,
                    held_back = latest.held_back,
                    "the limit of dead letters in a shard is reached; writes that the database refuses wait in the journal"
                );
            }
            (false, Some(_)) => {
                latest.warned_of_dead_letters_at = None;
                tracing::info!("no refused write waits for room among the dead letters any more");
            }
            (false, None) => {}
        }
    }

    fn dead_letters_max_of_shard(&self) -> u64 {
        max_of_shard(self.limits.dead_letters, self.journal.shards())
    }

    /// Most dead letters.
    pub fn dead_letters_max(&self) -> u64 {
        self.limits.dead_letters
    }

    /// What an operator should know of the dead letters, as last heard.
    pub fn dead_letter_warning(&self) -> Option<String> {
        let (dead, held_back) = {
            let latest = self.latest();
            (latest.dead, latest.held_back)
        };
        (held_back > 0).then(|| {
            format!(
                "the limit of {} dead letters in a shard is reached: there are {dead} dead letters, and {held_back} \
                 more refused writes wait in the journal; replay or delete dead letters, or raise DEAD_LETTERS_MAX",
                self.dead_letters_max_of_shard()
            )
        })
    }
}

impl Latest {
    fn update(&mut self, stats: &[ShardStats], now: Instant) {
        let elapsed = now - self.at;
        let weight = (elapsed.as_secs_f64() / timing::DRAIN_RATE_INTERVAL.as_secs_f64()).min(1.0);
        for (place, shard) in stats.iter().enumerate() {
            // The count went back, so it was reset.
            let before = self.drained.get(place).copied().unwrap_or(shard.drained);
            let drained = shard.drained.saturating_sub(before);
            if let Some(rate) = self.rates.get_mut(place)
                && !elapsed.is_zero()
            {
                let lately = drained as f64 / elapsed.as_secs_f64();
                *rate += (lately - *rate) * weight;
            }
        }
        self.at = now;
        self.drained = stats.iter().map(|shard| shard.drained).collect();
        self.depth = stats.iter().map(|shard| shard.depth).sum();
        self.bytes = stats.iter().map(|shard| shard.bytes).sum();
        self.dead = stats.iter().map(|shard| shard.dead).sum();
        self.held_back = stats.iter().map(|shard| shard.held_back).sum();
        self.held_back_bytes = stats.iter().map(|shard| shard.held_back_bytes).sum();
        let oldest_age_us = stats.iter().map(|shard| shard.oldest_age_us).max();
        self.oldest_age = Duration::from_micros(oldest_age_us.unwrap_or(0));
    }

    /// How long the drain takes to make some room, when `used` of the limit is.
    fn until_room(&self, depth: u64, used: f64) -> Duration {
        let rate: f64 = self.rates.iter().sum();
        if rate < 1.0 || used <= 0.0 || depth == 0 {
            return timing::RETRY_AFTER_BACKOFF_MAX;
        }
        let too_many = depth as f64 * (1.0 - (1.0 - ROOM) / used).clamp(0.0, 1.0);
        let needed = Duration::try_from_secs_f64((too_many / rate).ceil());
        needed.unwrap_or(timing::RETRY_AFTER_BACKOFF_MAX).clamp(
            timing::RETRY_AFTER_BACKOFF_MIN,
            timing::RETRY_AFTER_BACKOFF_MAX,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::shard::Shard;

    fn shard(depth: u64, drained: u64) -> ShardStats {
        ShardStats {
            shard: Shard(0),
            depth,
            bytes: depth * 100,
            oldest_held: None,
            oldest: None,
            newest: None,
            oldest_age_us: 0,
            drained,
            dead: 0,
            held_back: 0,
            held_back_bytes: 0,
        }
    }

    fn latest() -> Latest {
        Latest {
            at: Instant::now(),
            depth: 0,
            bytes: 0,
            dead: 0,
            held_back: 0,
            held_back_bytes: 0,
            oldest_age: Duration::ZERO,
            rates: vec![0.0],
            drained: Vec::new(),
            warned_at: None,
            warned_of_dead_letters_at: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_to_come_back_is_that_of_draining_a_tenth() {
        let mut latest = latest();
        assert_eq!(
            latest.until_room(10_000, 1.0),
            timing::RETRY_AFTER_BACKOFF_MAX
        );
        for second in 0..20 {
            latest.update(&[shard(10_000, second * 500)], Instant::now());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let rate = latest.rates[0];
        assert!((499.0..501.0).contains(&rate), "{rate}");
        // A tenth of 10,000 at 500 a second.
        let rounding = Duration::from_secs(1);
        let wait = latest.until_room(10_000, 1.0);
        assert!(
            wait.abs_diff(Duration::from_secs(2)) <= rounding,
            "{wait:?}"
        );
        // Half over the limit: 6,000 of 15,000 have to go.
        let wait = latest.until_room(15_000, 1.5);
        assert!(
            wait.abs_diff(Duration::from_secs(12)) <= rounding,
            "{wait:?}"
        );
        assert_eq!(
            latest.until_room(10_000_000, 1.0),
            timing::RETRY_AFTER_BACKOFF_MAX
        );
        assert_eq!(latest.until_room(10, 1.0), timing::RETRY_AFTER_BACKOFF_MIN);
        // Nothing more is drained.
        for _ in 0..40 {
            tokio::time::advance(Duration::from_secs(1)).await;
            latest.update(&[shard(10_000, 9_500)], Instant::now());
        }
        assert_eq!(
            latest.until_room(10_000, 1.0),
            timing::RETRY_AFTER_BACKOFF_MAX
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_count_that_was_reset_is_no_negative_rate() {
        let mut latest = latest();
        for drained in [1_000, 2_000, 0, 100] {
            latest.update(&[shard(1, drained)], Instant::now());
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(latest.rates[0] >= 0.0);
        }
    }
}
