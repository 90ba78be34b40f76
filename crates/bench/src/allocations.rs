//! What the whole service allocates for a request: the part that answers it, and the drainer after it.

use std::io::Read as _;
use std::net::TcpStream;

use testkit::parts::Parts;
use testkit::service::Service;

use crate::Result;
use crate::figures::{Figures, Measure};
use crate::load::{Order, Script, THREADS};
use crate::plan::{Plan, progress};
use crate::reads;
use crate::services::{RunningService, name_of};

const SECTION: &str = "allocations of a request";
const CONNECTIONS: u32 = 64;

const BYTES: Measure = Measure::less("bytes", 0);
const BYTES_MAX: f64 = 2500.0;
const ALLOCATIONS: Measure = Measure::less("allocations", 1);
const ALLOCATIONS_MAX: f64 = 20.0;
const REALLOCATIONS: Measure = Measure::less("reallocations", 1);

/// One load each: these figures are not times, and hardly differ.
pub(crate) fn measure(plan: &Plan, figures: &mut Figures) -> Result<()> {
    for service in Service::all() {
        for parts in [Parts::RedisMariaDb, Parts::Embedded] {
            let name = service.name().trim_end_matches("-svc");
            let row = |request| format!("{name}, {}, {request}", name_of(parts));
            progress(&format!("allocations of {name} on {}", name_of(parts)));
            let binary = format!("bench-counted-{name}");
            let running = RunningService::start_binary(&binary, service, parts)?;
            let written = each(plan, &running, Script::Unique, &running.write_target())?;
            let row_name = row("write");
            let mut to = figures.row(SECTION, &row_name);
            to.add(BYTES.at_most(BYTES_MAX), written.bytes);
            to.add(ALLOCATIONS.at_most(ALLOCATIONS_MAX), written.allocations);
            to.add(REALLOCATIONS, written.reallocations);
            reads::fill(&running)?;
            let read = each(plan, &running, Script::Reads, reads::TARGET)?;
            let row_name = row("read, hit");
            let mut to = figures.row(SECTION, &row_name);
            to.add(BYTES, read.bytes);
            to.add(ALLOCATIONS, read.allocations);
            to.add(REALLOCATIONS, read.reallocations);
        }
    }
    Ok(())
}

/// What one request allocates, drain included.
struct Each {
    allocations: f64,
    reallocations: f64,
    bytes: f64,
}

fn each(plan: &Plan, running: &RunningService, script: Script, target: &str) -> Result<Each> {
    let order = Order {
        script,
        base_url: running.base_url(),
        target,
        connections: CONNECTIONS,
        threads: THREADS,
        duration: plan.short_load(),
    };
    order.warm_up(plan)?;
    running.flush()?;
    let before = counts(running)?;
    let load = order.run(plan)?;
    running.flush()?;
    let after = counts(running)?;
    let each =
        |count: fn(&Counts) -> u64| (count(&after) - count(&before)) as f64 / load.succeeded as f64;
    Ok(Each {
        allocations: each(|counts| counts.allocations),
        reallocations: each(|counts| counts.reallocations),
        bytes: each(|counts| counts.bytes),
    })
}

/// Since the process started.
struct Counts {
    allocations: u64,
    reallocations: u64,
    bytes: u64,
}

/// What `counting.rs` tells.
fn counts(running: &RunningService) -> Result<Counts> {
    let logs = running.logs();
    let address = logs
        .lines()
        .find_map(|line| line.strip_prefix("allocations at "))
        .ok_or("the service does not say where it tells its counts")?;
    let mut text = String::new();
    TcpStream::connect(address)?.read_to_string(&mut text)?;
    let counts: Vec<u64> = text
        .split_whitespace()
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()?;
    match counts.as_slice() {
        &[allocations, reallocations, bytes] => Ok(Counts {
            allocations,
            reallocations,
            bytes,
        }),
        _ => Err(format!("not three counts: {text}").into()),
    }
}
