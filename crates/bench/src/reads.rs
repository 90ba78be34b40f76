//! Reads that the cache answers.

use std::thread;

use serde_json::json;
use test_support::parts::Parts;
use test_support::service::{Service, ServiceProcess};

use crate::Result;
use crate::figures::{Reads, ReadsOnce};
use crate::load::{self, Script};
use crate::plan::{Plan, progress};
use crate::services::{RunningService, name_of, start_baseline};

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
pub(crate) fn measure(plan: &Plan) -> Result<Vec<Reads>> {
    let baseline = start_baseline()?;
    let mut rows: Vec<Reads> = CASES
        .iter()
        .map(|&(service, parts)| Reads {
            service: service.name(),
            parts: name_of(parts),
            repetitions: Vec::new(),
        })
        .collect();
    for repetition in 1..=plan.repetitions {
        for (&(service, parts), row) in CASES.iter().zip(&mut rows) {
            progress(&format!(
                "{repetition}/{} reads, {} on {}",
                plan.repetitions, row.service, row.parts
            ));
            let service = RunningService::start(service, parts)?;
            fill(&service)?;
            row.repetitions.push(once(plan, &service, &baseline)?);
        }
    }
    Ok(rows)
}

fn once(plan: &Plan, service: &RunningService, baseline: &ServiceProcess) -> Result<ReadsOnce> {
    let run = |base_url| load::run(plan, Script::Reads, base_url, TARGET, CONNECTIONS);
    Ok(ReadsOnce {
        answer_only: run(baseline.base_url())?.load,
        load: run(service.base_url())?.load,
    })
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
