//! Clients: they write, read and wait, and remember what they were answered.

use std::sync::Arc;
use std::time::Duration;

use cache_core::engine::{Engine, Outcome};
use cache_core::error::Error;
use cache_core::model::record::{Condition, Key, Write};
use cache_core::model::source::Source;
use cache_core::model::version::Version;

use crate::oracle::{Fact, short, shown};
use crate::process::{Process, Running};
use crate::world::World;

/// How long a client looks for a process that runs.
const LOOKS_MAX: u32 = 100;

/// One of the names.
pub(crate) fn name(world: &World) -> Key {
    let number = world.draw(0..world.plan.names as u64);
    Key::from(format!("k{number}"))
}

pub(crate) fn names(world: &World) -> impl Iterator<Item = Key> + use<> {
    (0..world.plan.names).map(|number| Key::from(format!("k{number}")))
}

tokio::task_local! {
    /// For whom a part is asked, where a client asks in its own task.
    static NUMBER: usize;
}

/// The client in whose task this is, in words that follow what is asked.
pub(crate) fn on_behalf() -> String {
    let number = NUMBER.try_with(|number| format!(" for client {number}"));
    number.unwrap_or_default()
}

/// Does something as one client does, under a number that no client has.
pub(crate) async fn on_behalf_of<T>(number: usize, work: impl Future<Output = T>) -> T {
    NUMBER.scope(number, work).await
}

/// Takes the steps of one client.
pub(crate) async fn client(world: Arc<World>, processes: Vec<Arc<Process>>, number: usize) {
    NUMBER.scope(number, steps(world, processes, number)).await;
}

async fn steps(world: Arc<World>, processes: Vec<Arc<Process>>, number: usize) {
    for _ in 0..world.plan.steps {
        tokio::time::sleep(world.draw_ms(0..60)).await;
        world.turns.take(format!("client {number}")).await;
        let Some(running) = any_running(&world, &processes).await else {
            return;
        };
        let client = Client {
            world: &world,
            running: &running,
            number,
        };
        let key = name(&world);
        tokio::select! {
            biased;
            () = running.life.crashed() => {
                world.note(|| format!("client {number} hears no answer"));
            }
            () = client.step(key) => {}
        }
        world.turns.take(format!("client {number}")).await;
    }
}

async fn any_running(world: &World, processes: &[Arc<Process>]) -> Option<Running> {
    for _ in 0..LOOKS_MAX {
        let process = &processes[world.draw(0..processes.len() as u64) as usize];
        if let Some(running) = process.running() {
            return Some(running);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}

/// Tokio wakes the readers that wait for one load in a random order, so which of them
/// loads next is not for the trace.
fn origin(source: Source) -> String {
    match source {
        Source::Miss { .. } | Source::Collapsed => "the database".to_owned(),
        source => format!("{source:?}"),
    }
}

struct Client<'r> {
    world: &'r Arc<World>,
    running: &'r Running,
    number: usize,
}

impl Client<'_> {
    async fn step(&self, key: Key) {
        match self.world.draw(0..100) {
            0..25 => {
                let write = self.put(key);
                self.write(write).await;
            }
            25..40 => {
                let condition = self.condition(&key);
                let body = self.put(key.clone()).body;
                let body = body.filter(|_| self.world.draw(0..3) > 0);
                self.write(Write {
                    key,
                    body,
                    condition,
                    trace: None,
                })
                .await;
            }
            40..58 => self.write(Write::delete(key)).await,
            58..92 => self.read(&key).await,
            _ => self.flush().await,
        }
    }

    fn put(&self, key: Key) -> Write {
        let toxic = self.world.happens(self.world.plan.toxic);
        Write::put(key, self.world.new_value(toxic))
    }

    /// Any that a client may ask for: mostly with versions that the name has had
    /// lately, and sometimes with one that it may have next.
    fn condition(&self, key: &Key) -> Condition {
        let had = self.world.lock().oracle.versions(key);
        let newest = had.last().copied().unwrap_or_default();
        let versions = (0..self.world.draw(0..4)).map(|_| match self.world.draw(0..8) {
            0 => Version::new(newest.get() + self.world.draw(1..4)).unwrap(),
            back => {
                let place = had.len().checked_sub(1 + back as usize / 3);
                place.map_or(newest, |place| had[place])
            }
        });
        match self.world.draw(0..6) {
            0 => Condition::Exists,
            1 => Condition::Absent,
            2..4 => Condition::Is(versions.collect()),
            _ => Condition::IsNot(versions.collect()),
        }
    }

    /// Nothing is done between an answer and this.
    async fn turn(&self) {
        let who = format!("client {}", self.number);
        self.world.turns.take(who).await;
    }

    fn note(&self, line: impl FnOnce() -> String) {
        let (number, life) = (self.number, &self.running.life);
        self.world
            .note(|| format!("client {number} at {}: {}", life.name, line()));
    }

    async fn write(&self, write: Write) {
        let (world, key) = (self.world, write.key.clone());
        let is_late = self.running.life.has_stopped();
        let before = world.lock().oracle.newest(&key, |_| true);
        self.note(|| {
            let condition = condition_shown(&write.condition);
            format!("writes {}{condition}", shown(&write.at(Version::ZERO)))
        });
        let written = self.running.engine.write(write.clone()).await;
        self.turn().await;
        self.note(|| match &written {
            Ok(Outcome::Written { version, .. }) => {
                format!("wrote {}", shown(&write.at(*version)))
            }
            other => format!("{other:?}"),
        });
        if is_late && written.is_ok() {
            world.fail("a write after the stop was answered");
        }
        match written {
            Ok(Outcome::Written { version, .. }) => {
                let record = write.at(version);
                let outcome = world.lock().oracle.acknowledged(&record);
                world.expect(outcome);
                let durable = world.lock().all_is_durable();
                world.expect(durable);
                self.judge_condition(&write, version);
                if world.draw(0..4) == 0 {
                    self.persisted(&key, version).await;
                }
            }
            Ok(Outcome::ConditionFailed) => {
                let since = before.map_or(Version::ZERO, |before| before.version);
                let since = world.lock().oracle.since(&key, since);
                let held = since.iter().all(|record| write.condition.holds(record));
                if held && self.conditions_are_known(&key) {
                    world.fail("the condition held all along");
                }
            }
            Err(
                Error::Unseeded(_)
                | Error::Full { .. }
                | Error::Undecided
                | Error::Overloaded
                | Error::Stopping,
            ) => {
                if let Some(body) = &write.body
                    && world.lock().oracle.has_value(&key, body)
                {
                    world.fail("what was refused was written");
                }
            }
            Err(_) => {}
        }
    }

    /// A write takes place only upon what its condition asks for.
    fn judge_condition(&self, write: &Write, version: Version) {
        if write.condition == Condition::Always || !self.conditions_are_known(&write.key) {
            return;
        }
        let before = self.world.lock().oracle.before(&write.at(version));
        if !write.condition.holds(&before) {
            let before = shown(&before);
            self.world
                .fail(format!("the condition did not hold: it was {before}"));
        }
    }

    fn conditions_are_known(&self, key: &Key) -> bool {
        let state = self.world.lock();
        !self.world.plan.is_lossy && !state.unknown.contains(key)
    }

    async fn read(&self, key: &Key) {
        let floor = self.world.lock().oracle.floor(key);
        let read = self.running.engine.read(key).await;
        self.turn().await;
        match read {
            Ok(read) => {
                self.note(|| format!("read {} from {}", shown(&read.record), origin(read.source)));
                let outcome = self.world.lock().oracle.read(floor, &read.record);
                self.world.expect(outcome);
            }
            Err(error) => self.note(|| format!("read nothing: {error}")),
        }
    }

    async fn persisted(&self, key: &Key, version: Version) {
        let world = self.world;
        let timeout = world.draw_ms(1..1_500);
        let persisted = self.running.engine.persisted(key, version, timeout).await;
        self.turn().await;
        self.note(|| {
            format!(
                "{}@{} persisted: {persisted:?}",
                key.as_str(),
                short(version)
            )
        });
        let state = world.lock();
        let is_toxic = {
            let mut facts = state.oracle.facts();
            match facts.find(|(of, found, _)| *of == key && *found == version) {
                Some((_, _, fact)) => fact.is_toxic(),
                // Lost: it was acknowledged, and a server restarted without it.
                None => return,
            }
        };
        let outcome = match persisted {
            Ok(()) => state.is_settled(key, version, false) || is_toxic,
            Err(Error::DeadLetter) => {
                is_toxic || state.oracle.newest(key, Fact::is_toxic).is_some()
            }
            Err(_) => true,
        };
        drop(state);
        if !outcome {
            world.fail(format!(
                "{}@{} is not persisted",
                key.as_str(),
                short(version)
            ));
        }
    }

    async fn flush(&self) {
        let world = self.world;
        let acknowledged: Vec<(Key, Version)> = {
            let state = world.lock();
            let facts = state.oracle.facts();
            let acknowledged = facts.filter(|(_, _, fact)| fact.acknowledged);
            acknowledged
                .map(|(key, version, _)| (key.clone(), version))
                .collect()
        };
        let flushed = self.running.engine.flush(world.draw_ms(1..1_500)).await;
        self.turn().await;
        self.note(|| format!("flushed: {flushed:?}"));
        if !matches!(flushed, Ok(true)) {
            return;
        }
        let state = world.lock();
        let mut facts = state.oracle.facts();
        let unsettled = facts.find(|(key, version, fact)| {
            acknowledged.contains(&((*key).clone(), *version))
                && !state.is_settled(key, *version, fact.is_toxic())
        });
        let unsettled = unsettled.map(|(key, version, _)| (key.clone(), version));
        drop(facts);
        drop(state);
        if let Some((key, version)) = unsettled {
            world.fail(format!(
                "{}@{} is not flushed",
                key.as_str(),
                short(version)
            ));
        }
    }
}

fn condition_shown(condition: &Condition) -> String {
    let listed = |versions: &[Version]| -> Vec<i64> {
        versions.iter().map(|version| short(*version)).collect()
    };
    match condition {
        Condition::Always => String::new(),
        Condition::Exists => " if it exists".to_owned(),
        Condition::Absent => " if it does not exist".to_owned(),
        Condition::Is(versions) => format!(" if it is one of {:?}", listed(versions)),
        Condition::IsNot(versions) => format!(" if it is none of {:?}", listed(versions)),
    }
}
