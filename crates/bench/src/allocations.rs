//! What the whole service allocates for a request: the part that answers it, and the drainer after it.

use std::io::Read as _;
use std::net::TcpStream;

use test_support::parts::Parts;
use test_support::service::Service;

use crate::Result;
use crate::figures::Allocations;
use crate::load::{self, Script};
use crate::plan::{Plan, progress};
use crate::reads;
use crate::services::{RunningService, name_of};

const CONNECTIONS: u32 = 64;

/// One load each: these figures are not times, and hardly differ.
pub(crate) fn measure(plan: &Plan) -> Result<Vec<Allocations>> {
    let mut rows = Vec::new();
    for service in Service::all() {
        for parts in [Parts::RedisMariaDb, Parts::Embedded] {
            progress(&format!(
                "allocations of {} on {}",
                service.name(),
                name_of(parts)
            ));
            let binary = format!("bench-counted-{}", service.name().trim_end_matches("-svc"));
            let running = RunningService::start_binary(&binary, service, parts)?;
            let target = running.write_target();
            rows.push(of_load(
                plan,
                &running,
                parts,
                "write",
                Script::Unique,
                &target,
            )?);
            reads::fill(&running)?;
            let target = reads::TARGET;
            rows.push(of_load(
                plan,
                &running,
                parts,
                "read, hit",
                Script::Reads,
                target,
            )?);
        }
    }
    Ok(rows)
}

fn of_load(
    plan: &Plan,
    running: &RunningService,
    parts: Parts,
    request: &'static str,
    script: Script,
    target: &str,
) -> Result<Allocations> {
    let before = counts(running)?;
    let load = load::run(plan, script, running.base_url(), target, CONNECTIONS)?;
    running.flush()?;
    let after = counts(running)?;
    Ok(Allocations {
        service: running.service.name(),
        parts: name_of(parts),
        request,
        requests: load.warm_up.succeeded + load.load.succeeded,
        allocations: after.allocations - before.allocations,
        reallocations: after.reallocations - before.reallocations,
        bytes: after.bytes - before.bytes,
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
