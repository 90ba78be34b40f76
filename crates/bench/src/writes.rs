//! Writes: how many a second, how soon in the database, and whether all of them.

use std::time::Instant;

use testkit::parts::Parts;
use testkit::service::Service;

use crate::Result;
use crate::baseline::Baseline;
use crate::figures::{FAILED, Figures, LOST, Measure, Row};
use crate::journal_depth::Depths;
use crate::load::{Order, Script, THREADS};
use crate::load_result::Load;
use crate::plan::{Plan, Section, progress};
use crate::processor::Used;
use crate::services::{RunningService, name_of};
use crate::verify;

pub(crate) const ACKED: Measure = Measure::more("acked/s", 0);
const OF_E: Measure = Measure::more("of E", 2);
const OF_E_BY_CPU: Measure = Measure::more("of E by CPU", 2);
const E: Measure = Measure::plain("E/s", 0);
const E_CPU: Measure = Measure::plain("E µs", 1);
pub(crate) const IN_DATABASE: Measure = Measure::less("in DB after s", 2);
const IN_DATABASE_MAX_S: f64 = 2.0;
const P50: Measure = Measure::less("p50 ms", 2);
const P99: Measure = Measure::less("p99 ms", 2);
const P999: Measure = Measure::less("p99.9 ms", 2);

/// What a row of the table is about.
#[derive(Clone, Copy, Debug)]
struct Case {
    service: Service,
    parts: Parts,
    script: Script,
    connections: u32,
    /// The share of E that is to be reached.
    goal: f64,
}

const fn case(service: Service, parts: Parts, script: Script, connections: u32, goal: f64) -> Case {
    Case {
        service,
        parts,
        script,
        connections,
        goal,
    }
}

const WRITE_BEHIND: [Case; 5] = [
    case(
        Service::WriteBehind,
        Parts::RedisMariaDb,
        Script::Unique,
        64,
        0.45,
    ),
    case(
        Service::WriteBehind,
        Parts::RedisMariaDb,
        Script::Unique,
        256,
        0.45,
    ),
    case(
        Service::WriteBehind,
        Parts::RedisMariaDb,
        Script::Hot,
        64,
        0.55,
    ),
    case(
        Service::WriteBehind,
        Parts::RedisMariaDb,
        Script::Hot,
        256,
        0.55,
    ),
    case(
        Service::WriteBehind,
        Parts::Embedded,
        Script::Unique,
        64,
        0.55,
    ),
];

const WRITE_THROUGH: [Case; 5] = [
    case(
        Service::WriteThrough,
        Parts::RedisMariaDb,
        Script::Unique,
        64,
        0.3,
    ),
    case(
        Service::WriteThrough,
        Parts::RedisMariaDb,
        Script::Unique,
        256,
        0.4,
    ),
    case(
        Service::WriteThrough,
        Parts::RedisMariaDb,
        Script::Hot,
        64,
        0.25,
    ),
    case(
        Service::WriteThrough,
        Parts::RedisMariaDb,
        Script::Hot,
        256,
        0.35,
    ),
    case(
        Service::WriteThrough,
        Parts::Embedded,
        Script::Unique,
        64,
        0.35,
    ),
];

/// Measures every row of the section once, then again, so that a slow minute of the machine is not one row's
/// alone.
pub(crate) fn measure(plan: &Plan, section: Section, figures: &mut Figures) -> Result<()> {
    let baseline = Baseline::start(plan)?;
    let (title, cases) = match section {
        Section::WriteThrough => ("write-through", WRITE_THROUGH),
        _ => ("write-behind", WRITE_BEHIND),
    };
    for repetition in 1..=plan.repetitions {
        for case in cases {
            let row = case.row();
            progress(&format!("{repetition}/{} {title}, {row}", plan.repetitions));
            once(plan, case, &baseline, &mut figures.row(title, &row))?;
        }
    }
    Ok(())
}

impl Case {
    fn row(self) -> String {
        let names = match self.script {
            Script::Hot => "1,000 hot names",
            Script::Unique | Script::Reads => "unique names",
        };
        format!(
            "{}, {names}, {} connections",
            name_of(self.parts),
            self.connections
        )
    }
}

/// One load of a service.
struct Measured {
    service: RunningService,
    warm_up: Load,
    load: Load,
    depths: Option<Depths>,
    in_database_after_s: f64,
    used: Used,
}

fn once(plan: &Plan, case: Case, baseline: &Baseline, row: &mut Row<'_>) -> Result<()> {
    let (measured, beside) =
        baseline.around(plan, case.script, "POST /parse", || measured(plan, case))?;
    let load = &measured.load;
    row.add(ACKED, load.per_second());
    row.add(OF_E.at_least(case.goal), beside.share(load));
    row.add(OF_E_BY_CPU, beside.share_by_cpu(measured.used.all_us(load)));
    row.add(E, beside.per_second);
    row.add(E_CPU, beside.cpu_us);
    measured.used.add_to(row, load);
    if let Some(depths) = &measured.depths {
        let is_goal = case.parts == Parts::RedisMariaDb;
        let delay = if is_goal {
            IN_DATABASE.at_most(IN_DATABASE_MAX_S)
        } else {
            IN_DATABASE
        };
        row.add(delay, measured.in_database_after_s);
        depths.add_to(row, is_goal, load.per_second());
    }
    add_latencies(row, load);
    measured.service.memory()?.add_to(row);
    row.add(FAILED, load.unsuccessful() as f64);
    let written = measured.warm_up.succeeded + load.succeeded;
    let lost = match case.script {
        Script::Hot => verify::differing(measured.service)?,
        Script::Unique | Script::Reads => verify::missing(measured.service, written)?,
    };
    row.add(LOST, lost as f64);
    Ok(())
}

pub(crate) fn add_latencies(row: &mut Row<'_>, load: &Load) {
    row.add(P50, load.p50_ms);
    row.add(P99, load.p99_ms);
    row.add(P999, load.p999_ms);
}

fn measured(plan: &Plan, case: Case) -> Result<Measured> {
    let service = RunningService::start(case.service, case.parts)?;
    let target = service.write_target();
    let order = Order {
        script: case.script,
        base_url: service.base_url(),
        target: &target,
        connections: case.connections,
        threads: THREADS,
        duration: plan.load,
    };
    let warm_up = order.warm_up(plan)?;
    service.flush()?;
    let processes = service.processes(plan)?;
    let before = processes.used()?;
    let running = order.start(plan)?;
    let depths = (case.service == Service::WriteBehind)
        .then(|| Depths::watch(&service, plan.load))
        .transpose()?;
    let load = running.finish()?;
    let ended = Instant::now();
    service.flush()?;
    let in_database_after_s = ended.elapsed().as_secs_f64();
    let used = processes.used()? - before;
    Ok(Measured {
        service,
        warm_up,
        load,
        depths,
        in_database_after_s,
        used,
    })
}
