//! What must hold when all has calmed down.

use std::sync::Arc;
use std::time::Duration;

use cache_core::cache::Lookup;
use cache_core::engine::Engine;
use cache_core::error::Error;
use cache_core::model::record::{Key, Record};

use crate::clients::names;
use crate::oracle::{Fact, shown};
use crate::plan::Shape;
use crate::process::{Process, Running};
use crate::purges::purge_in_peace;
use crate::server::Entry;
use crate::world::World;

/// Far longer than a drain waits after a failure.
const WAIT_TIMEOUT: Duration = Duration::from_secs(120);

/// Longer than a slow call takes.
const SETTLED: Duration = Duration::from_secs(3);

type Checked = Result<(), String>;

/// Drains everything, and looks at what is left.
pub(crate) async fn end(world: &Arc<World>, processes: &[Arc<Process>]) -> Checked {
    // Whatever is held back gets on then.
    world.lock().log.has_room = true;
    let running: Vec<Running> = processes.iter().filter_map(|one| one.running()).collect();
    for one in &running {
        match one.engine.flush(WAIT_TIMEOUT).await {
            Ok(true) => world.note(|| format!("{} has flushed", one.life.name)),
            other => return Err(format!("{} does not flush: {other:?}", one.life.name)),
        }
    }
    // What is flushed may have to be marked clean yet.
    tokio::time::sleep(SETTLED).await;
    if let Some(one) = running.first() {
        let purged = purge_in_peace(world, one).await;
        purged.map_err(|error| format!("a purge fails in the end: {error}"))?;
    }
    world.lock().all_is_durable()?;
    for key in names(world) {
        check_database(world, &key)?;
        check_dead_letter(world, &key)?;
        for one in &running {
            check_read(world, one, &key).await?;
            check_cache(world, one, &key).await?;
        }
    }
    check_server_cache(world)?;
    for one in &running {
        check_depth(one).await?;
    }
    end_dead_letters(world, &running).await?;
    for (process, one) in processes.iter().zip(&running) {
        process.stop(one, WAIT_TIMEOUT).await;
        match one.journal.depth() {
            0 => {}
            left => return Err(format!("a stop in peace leaves {left} entries")),
        }
    }
    Ok(())
}

fn is_good(fact: &Fact) -> bool {
    !fact.is_toxic()
}

/// The database has the newest write that it takes; after a loss, at least the
/// newest that is not lost.
fn check_database(world: &World, key: &Key) -> Checked {
    let state = world.lock();
    let stored = state.held(key);
    let newest = state.oracle.newest(key, is_good);
    let is_right = if world.plan.is_lossy {
        let is_known = |stored: &Record| {
            let fact = state.oracle.fact(stored);
            fact.is_some_and(|fact| fact.body == stored.body)
        };
        let newest = newest.as_ref().map(|newest| newest.version);
        state.stored(key) >= newest && stored.as_ref().is_none_or(is_known)
    } else {
        stored == newest
    };
    if is_right {
        return Ok(());
    }
    let show = |record: Option<Record>| record.as_ref().map(shown);
    Err(format!(
        "the database has {:?}, not {:?}",
        show(stored),
        show(newest)
    ))
}

/// The newest write is a dead letter if the database refuses it, and nothing
/// else is.
fn check_dead_letter(world: &World, key: &Key) -> Checked {
    let state = world.lock();
    let dead = state.log.dead.get(key).map(|letter| letter.record.clone());
    let newest = state.oracle.newest(key, |_| true);
    let expected = newest.filter(|newest| crate::oracle::is_toxic(newest.body.as_ref()));
    // A drainer that had read an entry before it was lost sets it aside all the
    // same.
    let is_lost = |dead: &Record| state.oracle.fact(dead).is_some_and(|fact| fact.lost);
    let is_right = match (&dead, &expected) {
        (Some(dead), _) if is_lost(dead) => true,
        // A drainer does not learn of a newer write that is not in the journal, nor
        // of one that a server has lost after it was drained. Of two that drain the
        // same shard, the late one sets aside what the other has superseded. No
        // reader is given any of these.
        (Some(dead), None) if state.stored(key) > Some(dead.version) => {
            world.plan.shape == Shape::Disk && state.superseded_by_others.contains(key)
                || world.plan.processes > 1
                || world.plan.is_lossy
        }
        // It was replaced in the database by one that a server has lost.
        (None, Some(expected)) if state.stored(key) > Some(expected.version) => world.plan.is_lossy,
        (dead, expected) => dead == expected,
    };
    if is_right {
        return Ok(());
    }
    let show = |record: Option<Record>| record.as_ref().map(shown);
    Err(format!(
        "the dead letter is {:?}, not {:?}",
        show(dead),
        show(expected)
    ))
}

/// A read is given the newest write, even if the database refuses it.
async fn check_read(world: &World, one: &Running, key: &Key) -> Checked {
    let floor = world.lock().oracle.floor(key);
    let read = one.engine.read(key).await;
    let read = read.map_err(|error| format!("a read fails in the end: {error}"))?;
    let state = &mut *world.lock();
    state.oracle.read(floor, &read.record)?;
    let newest = state.oracle.newest(key, |_| true);
    let newest = newest.unwrap_or_else(|| Record::absent(key.clone()));
    if world.plan.is_lossy || state.oracle.known(&read.record) == newest {
        return Ok(());
    }
    Err(format!(
        "{} reads {} and not {} in the end",
        one.life.name,
        shown(&read.record),
        shown(&newest)
    ))
}

/// Nothing in a memory cache is dirty, except a dead letter.
async fn check_cache(world: &World, one: &Running, key: &Key) -> Checked {
    if world.plan.shape == Shape::Server {
        return Ok(());
    }
    let look = async || one.cache.get(key).await.map_err(|error| error.to_string());
    let Lookup::Hit(held) = look().await? else {
        return Ok(());
    };
    let is_dead = {
        let state = world.lock();
        let dead = state.log.dead.get(key);
        dead.is_some_and(|dead| dead.record == held)
    };
    // What is dirty can be discarded, and nothing else.
    let discarded = one.cache.discard(key, held.version).await;
    discarded.map_err(|error| error.to_string())?;
    let was_dirty = look().await? != Lookup::Hit(held.clone());
    if was_dirty {
        let put = one.cache.put_dirty(std::slice::from_ref(&held)).await;
        put.map_err(|error| error.to_string())?;
    }
    if was_dirty != is_dead {
        return Err(format!(
            "{}: dirty {was_dirty}, dead {is_dead}",
            shown(&held)
        ));
    }
    Ok(())
}

/// The same for the cache of a server.
fn check_server_cache(world: &World) -> Checked {
    let state = world.lock();
    for entry in state.server.cache.values() {
        if let Entry::Dirty(held) = entry {
            let dead = state.log.dead.get(&held.key);
            if dead.is_none_or(|dead| dead.record != *held) {
                return Err(format!("{} is dirty for ever", shown(held)));
            }
        }
    }
    Ok(())
}

async fn check_depth(one: &Running) -> Checked {
    let state = one.engine.journal_state().await;
    let state = state.map_err(|error| error.to_string())?;
    let depth: u64 = state.shards.iter().map(|shard| shard.stats.depth).sum();
    match (depth, one.journal.depth()) {
        (0, 0) => Ok(()),
        depths => Err(format!("{depths:?} entries wait after the flush")),
    }
}

/// An operator ends the dead letters: readers are given what the database has.
async fn end_dead_letters(world: &World, running: &[Running]) -> Checked {
    let Some(one) = running.first() else {
        return Ok(());
    };
    let engine = &one.engine;
    let letters = engine.dead_letters(usize::MAX).await;
    for letter in letters.map_err(|error| error.to_string())? {
        let Record { key, version, .. } = letter.record;
        let stored = world.lock().held(&key);
        let is_superseded = stored.is_some_and(|stored| stored.version > version);
        match engine.replay_dead_letter(&key).await {
            Ok(true) if is_superseded => {}
            Err(Error::Refused { .. }) if !is_superseded => {
                let deleted = engine.delete_dead_letter(&key).await;
                if !matches!(deleted, Ok(true)) {
                    return Err(format!("a delete is answered {deleted:?}"));
                }
            }
            other => return Err(format!("a replay is answered {other:?}")),
        }
        let stored = {
            let mut state = world.lock();
            state.forget_what_is_nowhere();
            state.held(&key)
        };
        let stored = stored.unwrap_or_else(|| Record::absent(key.clone()));
        for one in running {
            let read = one.engine.read(&key).await;
            let read = read.map_err(|error| error.to_string())?;
            let record = world.lock().oracle.known(&read.record);
            if record != stored && !world.plan.is_lossy {
                return Err(format!("read {} after a delete", shown(&read.record)));
            }
        }
    }
    Ok(())
}
