//! A backlog that grows while the database is away: what it takes of the service's memory, and how fast it
//! is drained when the database is back.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use test_support::parts::Parts;
use test_support::service::Service;

use crate::Result;
use crate::figures::{Backlog, Load};
use crate::load::{RunningLoad, Script};
use crate::plan::{Plan, progress};
use crate::services::RunningService;
use crate::{own_client, verify};

const CONNECTIONS: u32 = 64;

/// Slower than this, filling and draining are given up.
const ENTRIES_PER_SECOND_MIN: u64 = 1000;

/// For everything that does not depend on the number of entries.
const PATIENCE: Duration = Duration::from_secs(60);

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Fills and drains a backlog, and gives the same rows to the database's own client.
pub(crate) fn measure(plan: &Plan) -> Result<Vec<Backlog>> {
    (1..=plan.repetitions)
        .map(|repetition| {
            progress(&format!(
                "{repetition}/{} backlog of {} entries",
                plan.repetitions, plan.backlog
            ));
            once(plan)
        })
        .collect()
}

fn once(plan: &Plan) -> Result<Backlog> {
    let service = RunningService::start(Service::WriteBehind, Parts::RedisMariaDb)?;
    let paused = Paused::pause(plan.mariadb)?;
    let (fill, rss_at_tenth_kib) = fill(plan, &service)?;
    let rss_at_full_kib = service.memory()?.now_kib;
    let entries = depth(&service)?;
    paused.resume()?;
    let drain = drain(&service, entries)?;
    let rss_when_drained_kib = service.memory()?.now_kib;
    let client_rows_per_second = own_client::rows_per_second(&service.installation)?;
    let lost = verify::missing(service, fill.succeeded)?;
    Ok(Backlog {
        entries,
        fill,
        rss_at_tenth_kib,
        rss_at_full_kib,
        rss_when_drained_kib,
        pause_s: drain.pause_s,
        drain_rows_per_second: drain.rows_per_second,
        client_rows_per_second,
        lost,
    })
}

/// Writes until the backlog is as long as planned. Returns also the memory at a tenth of it.
fn fill(plan: &Plan, service: &RunningService) -> Result<(Load, u64)> {
    let limit = time_limit(plan.backlog);
    let mut load = RunningLoad::start(
        plan,
        Script::Unique,
        service.base_url(),
        &service.write_target(),
        CONNECTIONS,
        limit,
    )?;
    let mut rss_at_tenth_kib = None;
    loop {
        let depth = depth(service)?;
        if depth >= plan.backlog / 10 && rss_at_tenth_kib.is_none() {
            rss_at_tenth_kib = Some(service.memory()?.now_kib);
        }
        if depth >= plan.backlog {
            break;
        }
        if load.has_ended()? {
            return Err(format!("only {depth} entries wait after {limit:?}").into());
        }
        thread::sleep(LOOK_AGAIN);
    }
    load.interrupt()?;
    let rss_at_tenth_kib = rss_at_tenth_kib.ok_or("the backlog was never a tenth full")?;
    Ok((load.finish()?, rss_at_tenth_kib))
}

struct Drain {
    pause_s: f64,
    rows_per_second: f64,
}

/// Waits until nothing is left. The clock starts when the first rows have arrived: when the service finds
/// out that the database is back is another matter than how fast it is then.
fn drain(service: &RunningService, entries: u64) -> Result<Drain> {
    let limit = time_limit(entries);
    let began = Instant::now();
    let mut first: Option<(Instant, u64)> = None;
    loop {
        let (now, depth) = (Instant::now(), depth(service)?);
        match first {
            None if depth < entries => first = Some((now, depth)),
            Some((first, rows)) if depth == 0 => {
                return Ok(Drain {
                    pause_s: (first - began).as_secs_f64(),
                    rows_per_second: rows as f64 / (now - first).as_secs_f64(),
                });
            }
            _ => {}
        }
        if now - began > limit {
            return Err(format!("{depth} entries still wait after {limit:?}").into());
        }
        thread::sleep(LOOK_AGAIN);
    }
}

fn time_limit(entries: u64) -> Duration {
    PATIENCE + Duration::from_secs(entries / ENTRIES_PER_SECOND_MIN)
}

/// How many entries wait in the journal.
fn depth(service: &RunningService) -> Result<u64> {
    let response = service.get("/journal")?;
    let backlog: Value = serde_json::from_slice(&response.body)?;
    let depth = backlog.get("depth").and_then(Value::as_u64);
    depth.ok_or_else(|| format!("GET /journal is answered with {}", response.status).into())
}

/// A process that does nothing until this is dropped.
struct Paused(Pid);

impl Paused {
    fn pause(id: Pid) -> Result<Paused> {
        kill_process(id, Signal::STOP)?;
        Ok(Paused(id))
    }

    fn resume(self) -> Result<()> {
        Ok(kill_process(self.0, Signal::CONT)?)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}
