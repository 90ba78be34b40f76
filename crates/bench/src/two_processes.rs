//! Two processes of write-behind-svc on one Redis, beside one.

use std::time::{Duration, Instant};

use testkit::parts::Parts;
use testkit::service::Service;

use crate::Result;
use crate::figures::{FAILED, Figures, LOST, Measure, Row};
use crate::load::{Order, RunningLoad, Script, THREADS, WARM_UP};
use crate::load_result::Load;
use crate::plan::Plan;
use crate::processor::Processes;
use crate::services::RunningService;
use crate::verify;
use crate::writes::{ACKED, IN_DATABASE};

const SECTION: &str = "two processes";
const CONNECTIONS: u32 = 64;
const OF_ONE: Measure = Measure::more("of one process", 2);

/// Measures both, one after the other, with the same number of connections.
pub(crate) fn measure(plan: &Plan, figures: &mut Figures) -> Result<()> {
    plan.repeat("two processes beside one", || {
        let one = once(
            plan,
            1,
            &mut figures.row(SECTION, "1 process × 64 connections"),
        )?;
        let row = &mut figures.row(SECTION, "2 processes × 32 connections");
        let two = once(plan, 2, row)?;
        row.add(OF_ONE, two / one);
        Ok(())
    })
}

/// Returns the acknowledged writes in a second.
fn once(plan: &Plan, count: u32, row: &mut Row<'_>) -> Result<f64> {
    let service = RunningService::start(Service::WriteBehind, Parts::RedisMariaDb)?;
    let others = (1..count)
        .map(|_| service.start_beside())
        .collect::<Result<Vec<_>>>()?;
    let base_urls: Vec<&str> = [service.base_url()]
        .into_iter()
        .chain(others.iter().map(|other| other.base_url()))
        .collect();
    let ids = [service.id()]
        .into_iter()
        .chain(others.iter().map(|other| other.id()));
    let processes = Processes::with_servers(plan, ids.collect())?;

    let target = service.write_target();
    let run = |duration| together(plan, &base_urls, &target, duration);
    let warm_up = run(WARM_UP)?;
    service.flush()?;
    let before = processes.used()?;
    let load = run(plan.load)?;
    let ended = Instant::now();
    service.flush()?;
    row.add(IN_DATABASE, ended.elapsed().as_secs_f64());
    row.add(ACKED, load.per_second());
    (processes.used()? - before).add_to(row, &load);
    row.add(FAILED, load.unsuccessful() as f64);
    drop(others);
    let lost = verify::missing(service, warm_up.succeeded + load.succeeded)?;
    row.add(LOST, lost as f64);
    Ok(load.per_second())
}

/// Loads all processes at the same time.
fn together(plan: &Plan, base_urls: &[&str], target: &str, duration: Duration) -> Result<Load> {
    let count = base_urls.len() as u32;
    let mut running = Vec::new();
    for base_url in base_urls {
        let order = Order {
            script: Script::Unique,
            base_url,
            target,
            connections: CONNECTIONS / count,
            threads: THREADS / count,
            duration,
        };
        running.push(order.start(plan)?);
    }
    let loads = running.into_iter().map(RunningLoad::finish);
    Ok(Load::together(&loads.collect::<Result<Vec<_>>>()?))
}
