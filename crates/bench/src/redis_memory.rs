//! What a write that waits for the database takes of Redis's memory.

use testkit::parts::Parts;
use testkit::service::Service;

use crate::Result;
use crate::backlog;
use crate::figures::{FAILED, Figures, Measure, Row};
use crate::load::{Order, Script, THREADS, WARM_UP};
use crate::machine::redis_info;
use crate::paused::Paused;
use crate::plan::Plan;
use crate::services::RunningService;
use crate::user_body::UserBody;

const SECTION: &str = "Redis's memory";
const ENTRIES: u64 = 100_000;
const NAME_BYTES: usize = 72;

const WAITING: Measure = Measure::less("bytes a waiting write", 0).at_most(250.0);
const DRAINED: Measure = Measure::less("bytes a drained write", 0);

/// Measures it on a backlog of new names.
pub(crate) fn measure(plan: &Plan, figures: &mut Figures) -> Result<()> {
    plan.repeat("Redis's memory for waiting writes", || {
        once(
            plan,
            &mut figures.row(SECTION, "write-behind, new names of 72 bytes"),
        )
    })
}

fn once(plan: &Plan, row: &mut Row<'_>) -> Result<()> {
    let service = RunningService::start(Service::WriteBehind, Parts::RedisMariaDb)?;
    // What Redis keeps once, such as scripts, is there before.
    let warm_up = Order {
        script: Script::Unique,
        base_url: service.base_url(),
        target: &service.write_target(),
        connections: 64,
        threads: THREADS,
        duration: WARM_UP,
    };
    warm_up.run(plan)?;
    service.flush()?;
    let before = used_memory()?;
    let paused = Paused::pause(plan.mariadb)?;
    let body = UserBody::new(plan, "memory", 0).with_names_of(NAME_BYTES);
    let load = backlog::fill(&service, &body, 0, ENTRIES)?;
    backlog::all_wait(&service, &load)?;
    let full = used_memory()?;
    paused.resume()?;
    service.flush()?;
    let drained = used_memory()?;
    row.add(WAITING, (full - before) / load.succeeded as f64);
    row.add(DRAINED, (drained - before) / load.succeeded as f64);
    row.add(FAILED, load.unsuccessful() as f64);
    Ok(())
}

/// In bytes, of all keys, without what connections and the file of commands need for now.
fn used_memory() -> Result<f64> {
    let of = |name| -> Result<f64> { Ok(redis_info("memory", name)?.parse()?) };
    Ok(of("used_memory")? - of("mem_clients_normal")? - of("mem_aof_buffer")?)
}
