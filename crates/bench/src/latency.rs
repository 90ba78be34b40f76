//! The latency of writes at half of the highest rate, by an open loop.

use testkit::parts::Parts;
use testkit::service::Service;

use crate::Result;
use crate::figures::{FAILED, Figures, Measure, Row};
use crate::load::{self, Script, THREADS, WARM_UP};
use crate::open_loop;
use crate::plan::{Plan, progress};
use crate::services::{RunningService, name_of};
use crate::user_body::UserBody;
use crate::writes::add_latencies;

const SECTION: &str = "latency at half of the highest rate";
const CONNECTIONS: u32 = 64;

const HIGHEST: Measure = Measure::plain("highest/s", 0);
const RATE: Measure = Measure::plain("rate/s", 0);
const P99_OF_P50: Measure = Measure::less("p99 / p50", 1).at_most(10.0);

const CASES: [(Service, Parts); 2] = [
    (Service::WriteBehind, Parts::RedisMariaDb),
    (Service::WriteThrough, Parts::RedisMariaDb),
];

/// Measures every row once, then again.
pub(crate) fn measure(plan: &Plan, figures: &mut Figures) -> Result<()> {
    for repetition in 1..=plan.repetitions {
        for (service, parts) in CASES {
            let name = service.name().trim_end_matches("-svc");
            let row = format!("{name}, {}, {CONNECTIONS} connections", name_of(parts));
            progress(&format!(
                "{repetition}/{} {SECTION}, {row}",
                plan.repetitions
            ));
            let service = RunningService::start(service, parts)?;
            once(plan, &service, &mut figures.row(SECTION, &row))?;
        }
    }
    Ok(())
}

fn once(plan: &Plan, service: &RunningService, row: &mut Row<'_>) -> Result<()> {
    let target = service.write_target();
    let closed_loop = |duration| load::Order {
        script: Script::Unique,
        base_url: service.base_url(),
        target: &target,
        connections: CONNECTIONS,
        threads: THREADS,
        duration,
    };
    closed_loop(WARM_UP).run(plan)?;
    let highest = closed_loop(plan.short_load()).run(plan)?.per_second();
    service.flush()?;
    let rate = highest / 2.0;
    let body = UserBody::new(plan, "paced", 0);
    let load = open_loop::run(
        &open_loop::Order {
            base_url: service.base_url(),
            path: service.service.write_path(),
            connections: CONNECTIONS as usize,
            rate: Some(rate),
            first: 0,
            count: (rate * plan.load.as_secs_f64()) as u64,
            limit: 2 * plan.load,
        },
        |number, bytes| body.append(number, bytes),
    )?;
    row.add(HIGHEST, highest);
    row.add(RATE, rate);
    add_latencies(row, &load);
    row.add(P99_OF_P50, load.p99_ms / load.p50_ms);
    row.add(FAILED, load.unsuccessful() as f64);
    Ok(())
}
