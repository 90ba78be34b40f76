//! Reads that the cache answers.

use std::thread;

use serde_json::json;
use testkit::parts::Parts;
use testkit::service::Service;

use crate::Result;
use crate::baseline::Baseline;
use crate::figures::{FAILED, Figures, Measure, Row};
use crate::load::{Order, Script, THREADS};
use crate::plan::{Plan, progress};
use crate::services::{RunningService, name_of};
use crate::writes::add_latencies;

const SECTION: &str = "reads";

const HITS: Measure = Measure::more("hits/s", 0);
const OF_R: Measure = Measure::more("of R", 2);
const OF_R_BY_CPU: Measure = Measure::more("of R by CPU", 2);
const R: Measure = Measure::plain("R/s", 0);
const R_CPU: Measure = Measure::plain("R µs", 1);
const GOAL: f64 = 0.65;

/// How many names `lua/reads.lua` reads.
const NAMES: u32 = 10_000;

const CONNECTIONS: u32 = 64;

/// How many clients write the names beforehand.
const WRITERS: u32 = 16;

pub(crate) const TARGET: &str = "GET /users/user-";

const CASES: [(Service, Parts); 3] = [
    (Service::WriteBehind, Parts::RedisMariaDb),
    (Service::WriteThrough, Parts::RedisMariaDb),
    (Service::WriteBehind, Parts::Embedded),
];

/// Measures every row once, then again.
pub(crate) fn measure(plan: &Plan, figures: &mut Figures) -> Result<()> {
    let baseline = Baseline::start(plan)?;
    for repetition in 1..=plan.repetitions {
        for (service, parts) in CASES {
            let name = service.name().trim_end_matches("-svc");
            let row = format!("{name}, {}, {CONNECTIONS} connections", name_of(parts));
            progress(&format!("{repetition}/{} reads, {row}", plan.repetitions));
            let service = RunningService::start(service, parts)?;
            fill(&service)?;
            once(plan, &service, &baseline, &mut figures.row(SECTION, &row))?;
        }
    }
    Ok(())
}

fn once(
    plan: &Plan,
    service: &RunningService,
    baseline: &Baseline,
    row: &mut Row<'_>,
) -> Result<()> {
    let processes = service.processes(plan)?;
    let order = Order {
        script: Script::Reads,
        base_url: service.base_url(),
        target: TARGET,
        connections: CONNECTIONS,
        threads: THREADS,
        duration: plan.load,
    };
    let ((load, used), beside) = baseline.around(plan, Script::Reads, TARGET, || {
        order.warm_up(plan)?;
        let before = processes.used()?;
        let load = order.run(plan)?;
        Ok((load, processes.used()? - before))
    })?;
    row.add(HITS, load.per_second());
    let of_r = match service.installation.database() {
        Some(_) => OF_R.at_least(GOAL),
        None => OF_R,
    };
    row.add(of_r, beside.share(&load));
    row.add(OF_R_BY_CPU, beside.share_by_cpu(used.all_us(&load)));
    row.add(R, beside.per_second);
    row.add(R_CPU, beside.cpu_us);
    used.add_to(row, &load);
    add_latencies(row, &load);
    row.add(FAILED, load.unsuccessful() as f64);
    Ok(())
}

/// Writes the names, and looks whether the cache has them.
pub(crate) fn fill(service: &RunningService) -> Result<()> {
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || write_every(service, writer)))
            .collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().map_err(|_| "a writer panicked")?)
    })?;
    service.flush()?;
    for number in [0, NAMES / 2, NAMES - 1] {
        let response = service.get(&format!("/users/user-{number:05}"))?;
        let status = response.header("cache-status").unwrap_or_default();
        if !status.ends_with("; hit") {
            return Err(
                format!("the cache does not have a name that was written: {status}").into(),
            );
        }
    }
    Ok(())
}

/// Writes every [`WRITERS`]th name, beginning with the given one.
fn write_every(service: &RunningService, first: u32) -> Result<()> {
    let client = service.client();
    let headers = &[("Content-Type", "application/json")];
    for number in (first..NAMES).step_by(WRITERS as usize) {
        let user =
            json!({"name": format!("user-{number:05}"), "age": 30, "occupation": "Engineer"});
        let body = user.to_string();
        let path = service.service.write_path();
        let response = client.try_request("POST", path, headers, Some(body.as_bytes()))?;
        if response.status != 200 {
            return Err(format!("a write is answered with {}", response.status).into());
        }
    }
    Ok(())
}
