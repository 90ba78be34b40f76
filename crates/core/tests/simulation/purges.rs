//! Removing old tombstones, at random moments, in any process.

use std::sync::Arc;

use cache_core::engine::purge::Purger;
use cache_core::error::Result;
use cache_core::model::version::Version;

use crate::clients::on_behalf_of;
use crate::process::{Process, Running};
use crate::world::World;

/// Longer than a step takes that nothing holds up: the next one may be in its way.
const PAUSE_MAX_MS: u64 = 100;

/// Tries as often as the plan says.
pub(crate) async fn purges(world: Arc<World>, processes: Vec<Arc<Process>>) {
    // A server comes back with data that are far older than a tombstone becomes here, and
    // with dead letters that newer ones had replaced.
    let purges = if world.plan.is_lossy {
        0
    } else {
        world.plan.purges
    };
    for number in 0..purges {
        tokio::time::sleep(world.draw_ms(1..PAUSE_MAX_MS)).await;
        world.turns.take("the purger".to_owned()).await;
        let process = &processes[world.draw(0..processes.len() as u64) as usize];
        let Some(running) = process.running() else {
            continue;
        };
        let (world, number) = (world.clone(), world.plan.clients + number);
        tokio::spawn(on_behalf_of(number, async move {
            tokio::select! {
                biased;
                () = running.life.crashed() => {}
                purged = purge(&world, &running.purger) => {
                    world.note(|| format!("{} has purged: {purged:?}", running.life.name));
                }
            }
        }));
    }
}

/// Most of it fails somewhere.
const TRIES_MAX: usize = 8;

async fn purge(world: &World, purger: &Purger) -> Result<()> {
    let mut purged = Ok(());
    for _ in 0..TRIES_MAX {
        purged = try_to_purge(world, purger).await;
        if purged.is_ok() {
            break;
        }
    }
    purged
}

/// When all is well.
pub(crate) async fn purge_in_peace(world: &World, running: &Running) -> Result<()> {
    if world.plan.is_lossy {
        return Ok(());
    }
    try_to_purge(world, &running.purger).await
}

async fn try_to_purge(world: &World, purger: &Purger) -> Result<()> {
    let floor = purger.store.purged_through().await?;
    let now = Version::new(world.clock_us()).unwrap_or_default();
    let through = purger.through(now).await?;
    purger.once(floor, through).await.map(drop)
}
