//! One run, from its seed to its end.

use std::sync::Arc;
use std::time::Duration;

use cache_core::model::record::Record;
use cache_core::model::version::Version;
use tokio::runtime::Builder;

use crate::chaos::{calm_down, chaos};
use crate::clients::{client, names};
use crate::end::end;
use crate::process::Process;
use crate::purges::purges;
use crate::turns::conduct;
use crate::world::World;

/// Far longer than any run takes by the clock of the run.
const VIRTUAL_MAX: Duration = Duration::from_secs(3_600);

/// What a run came to.
pub(crate) struct Ended {
    /// What must not be, if there was something.
    pub(crate) failure: Option<String>,
    /// What happened, where that was asked for.
    pub(crate) trace: Vec<String>,
}

/// Makes the run of a seed.
pub(crate) fn run(seed: u64, shows: bool) -> Ended {
    // The engine's own chance.
    fastrand::seed(seed);
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let (failure, trace) = runtime.block_on(async {
        let world = World::new(seed, shows);
        tokio::select! {
            biased;
            () = world.failed.notified() => {}
            ended = tokio::time::timeout(VIRTUAL_MAX, history(&world)) => {
                world.expect(ended.unwrap_or_else(|_| Err("it never ends".to_owned())));
            }
        }
        world.take_outcome()
    });
    Ended { failure, trace }
}

async fn history(world: &Arc<World>) -> Result<(), String> {
    for (number, key) in names(world).enumerate() {
        if world.draw(0..2) == 0 {
            let record = Record {
                key,
                version: Version::new(number as u64 + 1).unwrap_or_default(),
                body: Some(world.new_value(false)),
            };
            let mut state = world.lock();
            state.store(&record);
            state.oracle.issued(&record)?;
            state.oracle.acknowledged(&record)?;
        }
    }
    let processes: Vec<Arc<Process>> = (0..world.plan.processes)
        .map(|number| Process::new(world.clone(), number))
        .collect();
    tokio::spawn(conduct(world.clone()));
    for process in &processes {
        tokio::spawn(process.clone().supervise());
    }
    let mut tasks = vec![tokio::spawn(chaos(world.clone(), processes.clone()))];
    tasks.push(tokio::spawn(purges(world.clone(), processes.clone())));
    for number in 0..world.plan.clients {
        tasks.push(tokio::spawn(client(
            world.clone(),
            processes.clone(),
            number,
        )));
    }
    for task in tasks {
        task.await.map_err(|error| error.to_string())?;
    }
    calm_down(world, &processes).await;
    end(world, &processes).await
}
