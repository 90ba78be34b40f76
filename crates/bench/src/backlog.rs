//! Measures a backlog that grows while the database is unavailable: the memory that it takes in the service,
//! and how fast it is drained afterwards, beside the database's own client.

use std::thread;
use std::time::{Duration, Instant};

use testkit::parts::Parts;
use testkit::service::Service;

use crate::Result;
use crate::figures::{FAILED, Figures, LOST, Measure, Row};
use crate::journal_depth;
use crate::load_result::Load;
use crate::memory::PEAK;
use crate::open_loop::{self, Order};
use crate::own_client::OwnClient;
use crate::paused::Paused;
use crate::plan::Plan;
use crate::services::RunningService;
use crate::user_body::UserBody;

const SECTION: &str = "drain";
const CONNECTIONS: usize = 64;

/// Slower than this, filling and draining are given up.
const ENTRIES_PER_SECOND_MIN: u64 = 1000;

/// For everything that does not depend on the number of entries.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

const LOOK_AGAIN: Duration = Duration::from_millis(20);

const FILLED: Measure = Measure::more("filled/s", 0);
const DRAINED: Measure = Measure::more("rows/s", 0);
const CLIENT: Measure = Measure::plain("client rows/s", 0);
const OF_CLIENT: Measure = Measure::more("of the client", 2).at_least(0.9);
const OF_CLIENT_BY_CPU: Measure = Measure::more("of the client by MariaDB's CPU", 2);
const PAUSE: Measure = Measure::less("begun after s", 2);
const AT_TENTH: Measure = Measure::less("RSS at 10 % MiB", 1);
const AT_FULL: Measure = Measure::less("RSS at 100 % MiB", 1);
const WHEN_DRAINED: Measure = Measure::less("RSS drained MiB", 1);
const PEAK_MAX_MIB: f64 = 64.0;

/// Fills and drains a backlog of new names and another one of the same names, and gives the same rows to the
/// database's own client each time.
pub(crate) fn measure(plan: &Plan, figures: &mut Figures) -> Result<()> {
    let what = format!("backlog of {} entries", plan.backlog);
    plan.repeat(&what, || once(plan, figures))
}

fn once(plan: &Plan, figures: &mut Figures) -> Result<()> {
    let service = RunningService::start(Service::WriteBehind, Parts::RedisMariaDb)?;
    let client = OwnClient::new(&service.installation)?;
    for (round, row) in [(1, "inserts"), (2, "updates")] {
        let body = UserBody::new(plan, "backlog", round);
        let mut row = figures.row(SECTION, row);
        let filled = fill_and_drain(plan, &service, &body, &client, &mut row)?;
        row.add(LOST, lost(&service, &body, filled) as f64);
    }
    Ok(())
}

/// Returns how many writes were acknowledged.
fn fill_and_drain(
    plan: &Plan,
    service: &RunningService,
    body: &UserBody,
    client: &OwnClient,
    row: &mut Row<'_>,
) -> Result<u64> {
    let processes = service.processes(plan)?;
    let before = processes.used()?;
    let paused = Paused::pause(plan.mariadb)?;
    let tenth = plan.backlog / 10;
    let first = fill(service, body, 0, tenth)?;
    row.add(AT_TENTH, service.memory()?.now_mib());
    let rest = fill(service, body, tenth, plan.backlog - tenth)?;
    row.add(AT_FULL, service.memory()?.now_mib());
    let load = Load::one_after_the_other(&first, &rest);
    let entries = all_wait(service, &load)?;
    paused.resume()?;
    let drain = drain(service, entries)?;
    let used = processes.used()? - before;
    let memory = service.memory()?;
    row.add(FILLED, load.per_second());
    row.add(DRAINED, drain.rows_per_second);
    let by_client = client.write_rows_of(plan, &service.installation)?;
    row.add(CLIENT, by_client.rows_per_second);
    row.add(OF_CLIENT, drain.rows_per_second / by_client.rows_per_second);
    row.add(
        OF_CLIENT_BY_CPU,
        by_client.database_us / used.database_us(&load),
    );
    row.add(PAUSE, drain.pause_s);
    row.add(WHEN_DRAINED, memory.now_mib());
    row.add(PEAK.at_most(PEAK_MAX_MIB), memory.most_mib());
    used.add_to(row, &load);
    row.add(FAILED, load.unsuccessful() as f64);
    Ok(load.succeeded)
}

/// Writes these users over 64 connections, each as soon as it can.
pub(crate) fn fill(
    service: &RunningService,
    body: &UserBody,
    first: u64,
    count: u64,
) -> Result<Load> {
    let order = Order {
        base_url: service.base_url(),
        path: service.service.write_path(),
        connections: CONNECTIONS,
        rate: None,
        first,
        count,
        limit: time_limit(count),
    };
    let load = open_loop::run(&order, |number, bytes| body.append(number, bytes))?;
    if load.succeeded < count / 2 {
        return Err(format!(
            "only {} of {count} writes were acknowledged",
            load.succeeded
        )
        .into());
    }
    Ok(load)
}

/// How many entries wait, which must be the writes of this load: otherwise something else is measured.
pub(crate) fn all_wait(service: &RunningService, load: &Load) -> Result<u64> {
    let entries = journal_depth::now(service)?;
    if entries < load.succeeded / 10 * 9 || entries > load.succeeded / 10 * 11 {
        return Err(format!(
            "{} writes were acknowledged, {entries} wait",
            load.succeeded
        )
        .into());
    }
    Ok(entries)
}

struct Drained {
    pause_s: f64,
    rows_per_second: f64,
}

/// Waits until nothing is left. The clock starts when the first rows have arrived: when the service finds
/// out that the database is back is another matter than how fast it is then.
fn drain(service: &RunningService, entries: u64) -> Result<Drained> {
    let limit = time_limit(entries);
    let began = Instant::now();
    let mut first: Option<(Instant, u64)> = None;
    loop {
        let (now, depth) = (Instant::now(), journal_depth::now(service)?);
        match first {
            None if depth < entries => first = Some((now, depth)),
            Some((first, rows)) if depth == 0 => {
                return Ok(Drained {
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
    WAIT_TIMEOUT + Duration::from_secs(entries / ENTRIES_PER_SECOND_MIN)
}

/// How many rows fewer have the value of this round than were acknowledged. The database is asked past the
/// service.
fn lost(service: &RunningService, body: &UserBody, acknowledged: u64) -> u64 {
    let sql = format!(
        "SELECT COUNT(*) FROM users WHERE occupation = '{}'",
        body.occupation()
    );
    let rows = service
        .installation
        .database()
        .map(|database| database.query_rows(&sql));
    let count = rows.and_then(|rows| rows.first()?.first()?.parse().ok());
    acknowledged.saturating_sub(count.unwrap_or(0))
}
