//! What happens to a run beside its clients.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::plan::Shape;
use crate::process::Process;
use crate::server::Entry;
use crate::server_journal::tell_all;
use crate::world::World;

/// Lets the events of the plan happen, at random moments.
pub(crate) async fn chaos(world: Arc<World>, processes: Vec<Arc<Process>>) {
    for _ in 0..world.plan.events {
        tokio::time::sleep(world.draw_ms(1..250)).await;
        let process = &processes[world.draw(0..processes.len() as u64) as usize];
        match (world.plan.shape, world.draw(0..16)) {
            (_, 0) => {
                let deadline = world.draw_ms(0..1_000);
                process.order_stop(deadline);
            }
            (_, 1) => {
                if let Some(running) = process.running() {
                    world.note(|| format!("{} is killed", running.life.name));
                    running.life.kill();
                }
            }
            (_, 2..4) => {
                let outage = world.draw_ms(20..3_000);
                world.note(|| format!("the database is unavailable for {outage:?}"));
                world.lock().database_unavailable_until = Some(Instant::now() + outage);
            }
            (_, 4..6) if world.plan.clock_is_wild => clock(&world),
            (_, 12..14) => {
                let (name, held) = (crate::clients::name(&world), world.draw_ms(20..6_000));
                world.note(|| format!("another transaction locks {} for {held:?}", name.as_str()));
                let until = Instant::now() + held;
                world.lock().locked_until.insert(name, until);
            }
            (Shape::Server, 6) => {
                let outage = world.draw_ms(20..1_500);
                world.note(|| format!("the server is unavailable for {outage:?}"));
                world.lock().server.unavailable_until = Some(Instant::now() + outage);
            }
            (Shape::Server, 7..9) => world.restart_server(),
            (Shape::Server, 14..) => {
                let outage = world.draw_ms(500..3_000);
                world.note(|| format!("the database is unavailable for {outage:?}"));
                world.lock().database_unavailable_until = Some(Instant::now() + outage);
                world.restart_server();
            }
            (Shape::Server, 9) => evict(&world),
            (Shape::Server, _) if world.plan.leases_are_wild => {
                let leases = process.running().and_then(|running| running.leases);
                if let Some(leases) = leases {
                    leases.flip();
                }
                tell_all(&world, cache_core::lease::LeaseCall::Leases);
            }
            _ => {}
        }
    }
}

/// It jumps, stands still, or goes on.
fn clock(world: &World) {
    match world.draw(0..3) {
        0 => {
            let by_ms = world.draw(0..4_000) as i64 - 2_000;
            world.note(|| format!("the clock jumps by {by_ms} ms"));
            world.clock_jumps(1_000 * by_ms);
        }
        1 => world.clock_stands(true),
        _ => world.clock_stands(false),
    }
}

/// The server forgets what it may.
fn evict(world: &World) {
    let mut state = world.lock();
    let cache = &mut state.server.cache;
    cache.retain(|_, entry| matches!(entry, Entry::Dirty(_)));
    drop(state);
    world.note(|| "the server evicts what it may".to_owned());
}

/// Ends all that goes wrong, and waits until every process runs.
pub(crate) async fn calm_down(world: &World, processes: &[Arc<Process>]) {
    world.note(|| "all is well from here on".to_owned());
    world.clock_stands(false);
    // Before the calm, so that the process that replays the rest is not disturbed.
    if world.plan.shape == Shape::Server && world.draw(0..2) == 0 {
        world.restart_server();
    }
    world.lock().is_calm = true;
    for process in processes {
        if world.draw(0..3) == 0 {
            process.order_stop(Duration::from_millis(1));
        }
    }
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    while world.lock().stray > 0 || !processes.iter().all(|process| process.is_fit()) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
