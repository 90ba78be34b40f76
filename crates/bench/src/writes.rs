//! Writes: how many a second, how soon in the database, and whether all of them.

use std::time::Instant;

use test_support::parts::Parts;
use test_support::service::{Service, ServiceProcess};

use crate::Result;
use crate::figures::{Writes, WritesOnce};
use crate::load::{self, Script};
use crate::plan::{Plan, Section, progress};
use crate::services::{RunningService, name_of, start_baseline};
use crate::verify;

/// How many names `lua/hot.lua` writes.
pub(crate) const HOT_NAMES: u32 = 1000;

/// How many connections the handler is given that only parses.
const BASELINE_CONNECTIONS: u32 = 64;

/// What a row of the table is about.
#[derive(Clone, Copy, Debug)]
struct Case {
    service: Service,
    parts: Parts,
    script: Script,
    connections: u32,
}

/// Measures every row once, then again, so that a slow minute of the machine is not one row's alone.
pub(crate) fn measure(plan: &Plan) -> Result<Vec<Writes>> {
    let baseline = start_baseline()?;
    let cases = cases(plan);
    let mut rows: Vec<Writes> = cases.iter().map(|case| case.row()).collect();
    for repetition in 1..=plan.repetitions {
        for (case, row) in cases.iter().zip(&mut rows) {
            progress(&format!(
                "{repetition}/{} {} on {}, {} names, {} connections",
                plan.repetitions, row.service, row.parts, row.names, row.connections
            ));
            row.repetitions.push(once(plan, *case, &baseline)?);
        }
    }
    Ok(rows)
}

fn cases(plan: &Plan) -> Vec<Case> {
    let mut cases = Vec::new();
    for (section, service, connections) in [
        (Section::WriteBehind, Service::WriteBehind, &[64][..]),
        (Section::WriteThrough, Service::WriteThrough, &[64, 256]),
    ] {
        if !plan.has(section) {
            continue;
        }
        for parts in [Parts::RedisMariaDb, Parts::Embedded] {
            for script in [Script::Unique, Script::Hot] {
                cases.extend(connections.iter().map(|&connections| Case {
                    service,
                    parts,
                    script,
                    connections,
                }));
            }
        }
    }
    cases
}

impl Case {
    fn row(self) -> Writes {
        Writes {
            service: self.service.name(),
            parts: name_of(self.parts),
            names: match self.script {
                Script::Hot => "1000 hot",
                Script::Unique | Script::Reads => "unique",
            },
            connections: self.connections,
            repetitions: Vec::new(),
        }
    }
}

fn once(plan: &Plan, case: Case, baseline: &ServiceProcess) -> Result<WritesOnce> {
    let parse_only = load::run(
        plan,
        case.script,
        baseline.base_url(),
        "POST /parse",
        BASELINE_CONNECTIONS,
    )?;
    let service = RunningService::start(case.service, case.parts)?;
    let load = load::run(
        plan,
        case.script,
        service.base_url(),
        service.write_target(),
        case.connections,
    )?;
    let ended = Instant::now();
    service.flush()?;
    let in_database_after_s =
        (case.service == Service::WriteBehind).then(|| ended.elapsed().as_secs_f64());
    let memory = service.memory()?;
    let lost = match case.script {
        Script::Hot => verify::differing(service)?,
        Script::Unique | Script::Reads => {
            verify::missing(service, load.warm_up.succeeded + load.load.succeeded)?
        }
    };
    Ok(WritesOnce {
        parse_only: parse_only.load,
        load: load.load,
        in_database_after_s,
        memory,
        lost,
    })
}
