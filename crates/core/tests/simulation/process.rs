//! A process: started, running, crashed or stopped, and started again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cache_core::cache::memory::MemoryCache;
use cache_core::cache::{Cache, Lifetimes};
use cache_core::engine::Engine;
use cache_core::engine::purge::Purger;
use cache_core::engine::seeder::Seeder;
use cache_core::engine::write_behind::WriteBehind;
use cache_core::error::{Part, Result};
use cache_core::journal::Journal;
use cache_core::lease::{Leases, Sole};
use cache_core::model::record::{Key, Write};
use tokio::sync::Notify;

use crate::disk_journal::DiskJournal;
use crate::door::Door;
use crate::leases::SimLeases;
use crate::life::Life;
use crate::plan::Shape;
use crate::server_cache::ServerCache;
use crate::server_journal::ServerJournal;
use crate::store::SimStore;
use crate::world::World;

/// Longer than any run.
const LIFETIME: Duration = Duration::from_secs(36_000);
const LOOK_AGAIN: Duration = Duration::from_millis(300);

/// An engine that runs, and what it runs on.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) engine: Arc<WriteBehind>,
    pub(crate) life: Arc<Life>,
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) leases: Option<Arc<SimLeases>>,
    pub(crate) purger: Arc<Purger>,
    disk: Option<Arc<DiskJournal>>,
}

impl Running {
    /// Whether only a restart makes it take writes again.
    pub(crate) fn must_restart(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.is_poisoned())
    }
}

pub(crate) struct Process {
    world: Arc<World>,
    number: usize,
    running: Mutex<Option<Running>>,
    order: Mutex<Option<Duration>>,
    ordered: Notify,
    is_stopping: AtomicBool,
}

impl Process {
    pub(crate) fn new(world: Arc<World>, number: usize) -> Arc<Process> {
        Arc::new(Process {
            world,
            number,
            running: Mutex::new(None),
            order: Mutex::new(None),
            ordered: Notify::new(),
            is_stopping: AtomicBool::new(false),
        })
    }

    pub(crate) fn running(&self) -> Option<Running> {
        self.running.lock().unwrap().clone()
    }

    /// Lets the process stop within `deadline`; it is started again.
    pub(crate) fn order_stop(&self, deadline: Duration) {
        *self.order.lock().unwrap() = Some(deadline);
        self.ordered.notify_one();
    }

    /// Whether it runs, and will.
    pub(crate) fn is_fit(&self) -> bool {
        let stops = self.is_stopping.load(Ordering::SeqCst) || self.order.lock().unwrap().is_some();
        !stops
            && self
                .running()
                .is_some_and(|running| !running.must_restart())
    }

    /// Runs one life after the other.
    pub(crate) async fn supervise(self: Arc<Self>) {
        for number in 0.. {
            let life = Arc::new(Life::new(self.number, number));
            self.world.lock().lives.push(life.clone());
            let started = tokio::select! {
                biased;
                () = life.crashed() => None,
                started = self.start(&life) => match started {
                    Ok(running) => Some(running),
                    Err(error) => {
                        self.world.note(|| format!("{} does not start: {error}", life.name));
                        None
                    }
                },
            };
            if let Some(running) = started {
                self.world.note(|| format!("{} runs", life.name));
                *self.running.lock().unwrap() = Some(running.clone());
                self.is_stopping.store(false, Ordering::SeqCst);
                self.attend(&running).await;
                *self.running.lock().unwrap() = None;
            }
            life.kill();
            self.between_lives().await;
        }
    }

    async fn start(&self, life: &Arc<Life>) -> Result<Running> {
        let world = &self.world;
        let door = |part| Door {
            world: world.clone(),
            life: life.clone(),
            part,
        };
        let store = Arc::new(SimStore(door(Part::Database)));
        let settings = world.plan.settings;
        let purger = |cache: &Arc<dyn Cache>, journal: &Arc<dyn Journal>| {
            Arc::new(Purger {
                store: store.clone(),
                seeder: Seeder::new(cache.clone(), Some(journal.clone()), store.clone()),
                journal: Some(journal.clone()),
                retention: world.plan.retention,
                unless_relied_on_by: None,
            })
        };
        if world.plan.shape == Shape::Server {
            let leases = Arc::new(SimLeases::new(door(Part::Journal)));
            let journal = ServerJournal::new(door(Part::Journal), leases.clone());
            let journal: Arc<dyn Journal> = Arc::new(journal);
            let cache: Arc<dyn Cache> = Arc::new(ServerCache(door(Part::Cache)));
            let (ours, parts) = (leases.clone(), (cache.clone(), journal.clone()));
            let purger = purger(&cache, &journal);
            let engine = WriteBehind::start(parts.0, parts.1, store, ours, settings).await?;
            return Ok(Running {
                engine,
                life: life.clone(),
                cache,
                journal,
                leases: Some(leases),
                purger,
                disk: None,
            });
        }
        let capacity = if world.plan.cache_forgets { 0 } else { 1 << 20 };
        let lifetimes = Lifetimes {
            clean: LIFETIME,
            absent: LIFETIME,
            in_doubt: LIFETIME,
            fill: LIFETIME,
        };
        let cache: Arc<dyn Cache> = Arc::new(MemoryCache::new(capacity, lifetimes));
        let disk = Arc::new(DiskJournal::open(door(Part::Journal)));
        let journal: Arc<dyn Journal> = disk.clone();
        let leases: Arc<dyn Leases> = Arc::new(Sole::new(1));
        let parts = (cache.clone(), journal.clone());
        let purger = purger(&cache, &journal);
        let engine = WriteBehind::start(parts.0, parts.1, store, leases, settings).await?;
        Ok(Running {
            engine,
            life: life.clone(),
            cache,
            journal,
            leases: None,
            purger,
            disk: Some(disk),
        })
    }

    /// Until it has crashed or stopped.
    async fn attend(&self, running: &Running) {
        loop {
            tokio::select! {
                biased;
                () = running.life.crashed() => return,
                () = self.ordered.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            let order = self.order.lock().unwrap().take();
            let order = order.or(running.must_restart().then_some(Duration::from_millis(200)));
            if let Some(deadline) = order {
                self.is_stopping.store(true, Ordering::SeqCst);
                tokio::select! {
                    biased;
                    () = running.life.crashed() => {}
                    () = self.stop(running, deadline) => {}
                }
                return;
            }
        }
    }

    pub(crate) async fn stop(&self, running: &Running, deadline: Duration) {
        let (world, life) = (&self.world, &running.life);
        world.note(|| format!("{} stops within {deadline:?}", life.name));
        running.engine.stop(deadline).await;
        world.note(|| format!("{} has stopped", life.name));
        life.stop();
        let durable = world.lock().all_is_durable();
        world.expect(durable);
        let late = Write::put(Key::from("late"), Bytes::from_static(b"late"));
        if let Ok(outcome) = running.engine.write(late).await {
            world.fail(format!("a stopped engine answered {outcome:?}"));
        }
        // Clients may still come.
        tokio::time::sleep(world.draw_ms(1..50)).await;
    }

    async fn between_lives(&self) {
        let world = &self.world;
        let durable = world.lock().all_is_durable();
        world.expect(durable);
        tokio::time::sleep(world.draw_ms(1..300)).await;
        // A disk and what is drained from it are one process's own, but while
        // that is down the other service may have the database.
        if world.plan.shape == Shape::Disk && world.happens(300) {
            let name = crate::clients::name(world);
            world.others_write(&name);
        }
    }
}
