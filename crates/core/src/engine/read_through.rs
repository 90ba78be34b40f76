//! Reads from the cache, or else from the database, and then fills the cache.

mod loads;
mod reload;

use std::sync::Arc;

use futures_util::future::join_all;

use crate::bypass::{Access, Permit};
use crate::cache::{Cache, FillStart, FillTicket, Lookup};
use crate::concurrency::single_flight::{Lead, SingleFlight, Turn};
use crate::engine::Read;
use crate::engine::circuit_breaker::Breaker;
use crate::engine::seeder::Seeder;
use crate::error::{Error, Part, Result};
use crate::model::epoch::Epoch;
use crate::model::record::{Condition, Key, Record};
use crate::model::source::Source;
use crate::process::fault_point;
use crate::store::Store;
use crate::telemetry;
use crate::telemetry::repeated;
use crate::timing;

use loads::Loads;

/// What the reader that loaded a record gives to the readers that wait for it: the record, and
/// whether the cache took the record. If so, the record was current when those readers came.
type Loaded = Result<(Record, bool)>;

/// A key that is loaded, and the epoch of the cache. A record that was current in one epoch need
/// not be current in the next.
type Flight = (Key, Option<Epoch>);

/// Whether a condition holds for a key's current record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// The condition holds.
    Yes,
    /// The condition does not hold.
    No,
    /// The condition holds, and the record is a broken row.
    OfBrokenRow,
}

/// What a reader wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    /// The current record, wherever it is.
    Current,
    /// The current record, but not from a clean cached value.
    Reload,
}

/// The read path, which both patterns share.
#[derive(Clone, Debug)]
pub struct ReadThrough {
    cache: Arc<dyn Cache>,
    loads: Loads,
    seeder: Arc<Seeder>,
    access: Arc<Access>,
    breaker: Arc<Breaker>,
    loading: Arc<SingleFlight<Flight, Loaded>>,
}

impl ReadThrough {
    /// Reads from `cache` where `access` permits that, and from `store` what `cache` does not
    /// hold.
    pub fn new(
        cache: Arc<dyn Cache>,
        store: Arc<dyn Store>,
        seeder: Arc<Seeder>,
        access: Arc<Access>,
    ) -> ReadThrough {
        ReadThrough {
            cache,
            loads: Loads::new(store),
            seeder,
            access,
            breaker: Arc::new(Breaker::new(timing::CIRCUIT_BREAKER_BACKOFF)),
            loading: Arc::new(SingleFlight::new()),
        }
    }

    /// The current record of `key`.
    pub async fn read(&self, key: &Key) -> Result<Read> {
        self.answer(key, Demand::Current).await
    }

    /// As [`ReadThrough::read`] of each key, in the same order. Keys that the cache lacks are
    /// loaded together.
    pub async fn read_many(&self, keys: &[Key]) -> Vec<Result<Read>> {
        self.answer_many(keys, Demand::Current).await
    }

    async fn answer_many(&self, keys: &[Key], demand: Demand) -> Vec<Result<Read>> {
        let reader = ReadThrough {
            loads: self.loads.gathering(),
            ..self.clone()
        };
        join_all(keys.iter().map(|key| reader.answer(key, demand))).await
    }

    /// Answers a reader. Futures that most readers do not need are boxed, so that a reader's own
    /// future is small.
    async fn answer(&self, key: &Key, demand: Demand) -> Result<Read> {
        let read = match self.access.permit() {
            Some(permit) if self.may_try() => match self.read_by_cache(key, permit, demand).await {
                // IMPORTANT: the permit is checked after the cache has answered. If it still
                // holds now, it held when the cache answered.
                Ok(read) if self.access.holds(permit) => read,
                Ok(_) => Box::pin(self.read_database(key, None)).await?,
                Err(error) => Box::pin(self.read_database(key, Some(error))).await?,
            },
            _ => Box::pin(self.read_database(key, None)).await?,
        };
        telemetry::read(read.source);
        Ok(read)
    }

    /// Removes the clean value of `key` from the cache.
    ///
    /// # Errors
    /// When the cache is unavailable, or was left meanwhile.
    pub async fn forget(&self, key: &Key) -> Result<()> {
        let permit = self.permit_to_forget()?;
        self.cache.forget(key).await?;
        self.forgotten(permit)
    }

    /// Removes all clean values from the cache.
    ///
    /// # Errors
    /// As [`ReadThrough::forget`].
    pub async fn forget_all(&self) -> Result<()> {
        let permit = self.permit_to_forget()?;
        self.cache.forget_all().await?;
        self.forgotten(permit)
    }

    fn permit_to_forget(&self) -> Result<Permit> {
        let unused = || Error::unavailable(Part::Cache, "it is not in use");
        self.access.permit().ok_or_else(unused)
    }

    /// Fails unless `permit` still holds. Without it, other processes may already use the cache in
    /// a later epoch.
    fn forgotten(&self, permit: Permit) -> Result<()> {
        match self.access.holds(permit) {
            true => Ok(()),
            false => self.permit_to_forget().and(Err(Error::Fenced)),
        }
    }

    /// Evaluates `condition` on the current record of `key`. A broken row counts as a value whose
    /// version no client knows.
    pub async fn holds(&self, condition: &Condition, key: &Key) -> Result<Holds> {
        Ok(match self.read(key).await {
            Ok(read) if condition.holds(&read.record) => Holds::Yes,
            Ok(_) => Holds::No,
            Err(Error::BrokenRow { .. }) => match condition {
                Condition::Always | Condition::Exists | Condition::IsNot(_) => Holds::OfBrokenRow,
                Condition::Absent | Condition::Is(_) => Holds::No,
            },
            Err(error) => return Err(error),
        })
    }

    /// Whether to ask the cache. Always true where a reader must not ask the database alone.
    fn may_try(&self) -> bool {
        self.breaker.admits() || self.access.may_bypass().is_err()
    }

    /// Reads from the database alone, which has all that write-through has acknowledged.
    async fn read_database(&self, key: &Key, failed: Option<Error>) -> Result<Read> {
        match failed {
            Some(error) if error.part() != Some(Part::Cache) => return Err(error),
            Some(error) => self.access.may_bypass().map_err(|_| error)?,
            None => self.access.may_bypass()?,
        }
        Ok(Read {
            record: self.load(key).await?,
            source: Source::Bypass,
        })
    }

    async fn read_by_cache(&self, key: &Key, permit: Permit, demand: Demand) -> Result<Read> {
        let seed = self.seeder.generation();
        match self.look(key, permit, demand).await {
            // A key that the cache lacks may be waiting in the journal of a restarted server.
            Err(Error::Unseeded(_)) => {
                Box::pin(self.seeder.seed(seed)).await?;
                Box::pin(self.look(key, permit, demand)).await
            }
            read => read,
        }
    }

    async fn look(&self, key: &Key, permit: Permit, demand: Demand) -> Result<Read> {
        let found = self.cache.get(key).await;
        match &found {
            // An unseeded cache answers, too, and is about to be seeded.
            Ok(_) | Err(Error::Unseeded(_)) => self.breaker.succeeded(),
            Err(error) => {
                self.access.suspect();
                self.breaker.failed();
                repeated::failed("the cache does not answer a reader", error, 1);
            }
        }
        match found? {
            found if demand == Demand::Reload => Box::pin(self.reload_found(key, found)).await,
            Lookup::Hit(record) => Ok(Read {
                record,
                source: Source::Hit,
            }),
            Lookup::Miss => Box::pin(self.load_once((key.clone(), permit.fence))).await,
            found @ Lookup::InDoubt(_) => Box::pin(self.found(key, found)).await,
        }
    }

    async fn found(&self, key: &Key, lookup: Lookup) -> Result<Read> {
        match lookup {
            Lookup::Hit(record) => Ok(Read {
                record,
                source: Source::Hit,
            }),
            Lookup::InDoubt(held) => {
                let stored = self.load(key).await?;
                let record = match held {
                    Some(held) if held.version > stored.version => held,
                    _ => stored,
                };
                Ok(Read {
                    record,
                    source: Source::InDoubt,
                })
            }
            Lookup::Miss => Ok(Read {
                record: self.load(key).await?,
                source: Source::Miss { stored: false },
            }),
        }
    }

    /// Loads a missing record once for all readers that miss it at the same time.
    async fn load_once(&self, flight: Flight) -> Result<Read> {
        let mut came_before = false;
        loop {
            let follow = match self.loading.join(&flight) {
                Turn::Lead(lead) => return self.lead(flight.0, lead).await,
                Turn::Follow(follow) => follow,
            };
            match follow.landed().await {
                // IMPORTANT: the loaded record may be older than a write that was acknowledged
                // before this reader came. The record is current in two cases: the cache took it
                // after this reader came, or its load began after this reader came.
                Some(Ok((record, stored))) if stored || came_before => {
                    return Ok(Read {
                        record,
                        source: Source::Collapsed,
                    });
                }
                Some(Err(error)) => return Err(error),
                _ => came_before = true,
            }
        }
    }

    /// Loads in a task, since other readers may still wait when this reader is dropped. The task
    /// ends when the last waiting reader is dropped.
    async fn lead(&self, key: Key, lead: Lead<Flight, Loaded>) -> Result<Read> {
        let reader = self.clone();
        let _waits = lead.follow();
        let task = tokio::spawn(async move {
            let read = reader.fill(&key, &lead).await.transpose();
            match &read {
                Some(Ok(read)) => {
                    let stored = read.source == Source::Miss { stored: true };
                    lead.land(Ok((read.record.clone(), stored)));
                }
                Some(Err(error)) => lead.land(Err(error.clone())),
                None => {}
            }
            read
        });
        task.await.ok().flatten().unwrap_or(Err(Error::Panicked))
    }

    /// Loads the record and fills the cache; `None` if no reader waits any longer.
    async fn fill(&self, key: &Key, lead: &Lead<Flight, Loaded>) -> Result<Option<Read>> {
        // IMPORTANT: the ticket is taken before the database is read. A write in between voids
        // the ticket. So an old value never replaces a new one, even if the new one was evicted
        // meanwhile.
        let lookup = match self.begin_fill(key).await? {
            FillStart::Granted(ticket) => {
                let Some(loaded) = lead.while_wanted(self.load(key)).await else {
                    let _ = self.cache.abandon_fill(key, ticket).await;
                    return Ok(None);
                };
                return self.put(key, ticket, loaded, Some(lead)).await.map(Some);
            }
            FillStart::Busy => Lookup::Miss,
            FillStart::Found(lookup) => lookup,
        };
        lead.while_wanted(self.found(key, lookup)).await.transpose()
    }

    async fn begin_fill(&self, key: &Key) -> Result<FillStart> {
        match self.cache.begin_fill(key).await {
            // A cache without room for a ticket has none for the record either.
            Err(Error::Full { .. }) => Ok(FillStart::Busy),
            start => start,
        }
    }

    /// Fills the cache with the record that was loaded under `ticket`.
    async fn put(
        &self,
        key: &Key,
        ticket: FillTicket,
        loaded: Result<Record>,
        lead: Option<&Lead<Flight, Loaded>>,
    ) -> Result<Read> {
        let record = match loaded {
            Ok(record) => record,
            Err(error) => {
                // While the ticket lives, no other reader can fill the key.
                let _ = self.cache.abandon_fill(key, ticket).await;
                return Err(error);
            }
        };
        fault_point::point("fill.loaded").await;
        // IMPORTANT: no reader joins from here on. A reader that comes after the cache has taken
        // the record must ask the cache.
        if let Some(lead) = lead {
            lead.close();
        }
        let stored = match self.cache.fill(ticket, &record).await {
            Ok(stored) => stored,
            // The record that was loaded is current all the same.
            Err(Error::Full { .. } | Error::Unavailable { .. }) => false,
            Err(error) => return Err(error),
        };
        Ok(Read {
            record,
            source: Source::Miss { stored },
        })
    }

    async fn load(&self, key: &Key) -> Result<Record> {
        let record = self.loads.load(key).await?;
        Ok(record.unwrap_or_else(|| Record::absent(key.clone())))
    }
}
