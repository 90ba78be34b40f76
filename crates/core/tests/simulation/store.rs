//! The database.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use cache_core::error::{Error, Part, Result};
use cache_core::model::dataset::Dataset;
use cache_core::model::decision::Decision;
use cache_core::model::epoch::Epoch;
use cache_core::model::record::{Key, Record};
use cache_core::model::version::Version;
use cache_core::outage::health::PartHealth;
use cache_core::store::{Locks, Origin, Page, Proposal, Purge, Purged, Store};

use crate::door::{Door, Fate};
use crate::oracle::{all_shown, is_toxic};
use crate::world::World;

/// How long a statement waits for a row.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// How one process sees it.
#[derive(Debug)]
pub(crate) struct SimStore(pub(crate) Door);

fn commit(world: &World, records: &[Record], by: &str) -> Result<()> {
    if records.iter().any(|record| is_toxic(record.body.as_ref())) {
        world.note(|| format!("{by}: the database refuses {}", all_shown(records)));
        return Err(Error::refused(Part::Database, "toxic"));
    }
    world.note(|| format!("{by}: the database commits {}", all_shown(records)));
    let mut state = world.lock();
    for record in records {
        state.store(record);
    }
    Ok(())
}

#[async_trait]
impl Store for SimStore {
    async fn apply(&self, records: &[Record], _: Origin) -> Result<()> {
        let SimStore(door) = self;
        let (world, plan) = (&door.world, &door.world.plan);
        let names: Vec<&str> = records.iter().map(|record| record.key.as_str()).collect();
        door.enter(&format!("apply {names:?}")).await;
        if door.life.has_stopped() {
            world.fail(format!("{} applies after its stop", door.life.name));
        }
        let by = door.life.name.clone();
        if records.iter().any(|record| world.is_locked(&record.key)) {
            tokio::time::sleep(LOCK_WAIT).await;
            if records.iter().any(|record| world.is_locked(&record.key)) {
                world.note(|| format!("{by}: a row of {} is locked", all_shown(records)));
                door.leave().await;
                return Err(Error::Locked);
            }
        }
        let answer = if !world.is_unavailable(Part::Database) && world.happens(plan.store_is_late) {
            let (world, records) = (world.clone(), records.to_vec());
            let by = format!("{by}, late");
            door.stray(move || drop(commit(&world, &records, &by)));
            Err(door.fails("no answer in time"))
        } else {
            match door.fate(plan.store_fails) {
                Fate::Succeeds => commit(world, records, &by),
                Fate::FailsBefore => Err(door.fails("before the commit")),
                Fate::FailsAfter => {
                    let _ = commit(world, records, &format!("{by}, unheard"));
                    Err(door.fails("after the commit"))
                }
            }
        };
        if let Err(Error::Unavailable { reason, .. }) = &answer {
            world.note(|| format!("{by}: apply {} fails: {reason}", all_shown(records)));
        }
        door.leave().await;
        answer
    }

    async fn transact(&self, _: &[Proposal], _: Option<Epoch>) -> Result<Vec<Decision>> {
        Err(self.0.fails("nothing is written through here"))
    }

    async fn locks(&self, keys: &[Key]) -> Result<Locks> {
        let SimStore(door) = self;
        let locks = || {
            let locked = keys.iter().filter(|key| door.world.is_locked(key));
            Ok(Locks {
                locked: locked.cloned().collect(),
                absent: HashSet::new(),
            })
        };
        let names: Vec<&str> = keys.iter().map(Key::as_str).collect();
        let what = format!("locks {names:?}");
        door.pass(&what, door.world.plan.store_fails, locks).await
    }

    async fn load(&self, key: &Key) -> Result<Option<Record>> {
        let SimStore(door) = self;
        let load = || Ok(door.world.lock().database.get(key).cloned());
        door.pass(key.as_str(), door.world.plan.store_fails, load)
            .await
    }

    async fn versions(&self, keys: &[Key]) -> Result<HashMap<Key, Version>> {
        let SimStore(door) = self;
        let load = || {
            let database = &door.world.lock().database;
            let found = keys.iter().filter_map(|key| database.get(key));
            Ok(found
                .map(|record| (record.key.clone(), record.version))
                .collect())
        };
        door.pass("versions", door.world.plan.store_fails, load)
            .await
    }

    async fn page(&self, _: Option<&Key>, _: u32) -> Result<Page> {
        Err(self.0.fails("no page is read here"))
    }

    async fn newest_version(&self) -> Result<Version> {
        let SimStore(door) = self;
        let newest = || {
            let state = door.world.lock();
            let versions = state.database.values().map(|record| record.version);
            Ok(versions.max().unwrap_or_default().max(state.purged_through))
        };
        door.pass("newest", door.world.plan.store_fails, newest)
            .await
    }

    async fn purged_through(&self) -> Result<Version> {
        let SimStore(door) = self;
        let floor = || Ok(door.world.lock().purged_through);
        door.pass("floor", door.world.plan.store_fails, floor).await
    }

    async fn purge(&self, purge: Purge) -> Result<Purged> {
        let SimStore(door) = self;
        let purged = || {
            let purged = door.world.lock().purge(purge);
            door.world
                .note(|| format!("{}: the database purges: {purged:?}", door.life.name));
            Ok(purged)
        };
        door.pass("purge", door.world.plan.store_fails, purged)
            .await
    }

    fn dataset(&self) -> &Dataset {
        static DATASET: Dataset = Dataset {
            identity: String::new(),
            shards: 1,
        };
        &DATASET
    }

    async fn health(&self) -> PartHealth {
        healthy()
    }
}

/// A part's health, which the simulation never asks for.
pub(crate) fn healthy() -> PartHealth {
    PartHealth {
        kind: "simulated",
        at: String::new(),
        up: true,
        problem: None,
        durability: None,
        ..PartHealth::default()
    }
}
