//! One write at a time: what write-through costs beside the commit and the round trips that it is made of.

use testkit::parts::Parts;
use testkit::service::Service;

use crate::Result;
use crate::figures::{FAILED, Figures, LOST, Measure, Row};
use crate::load::{Order, Script, THREADS};
use crate::own_client::OwnClient;
use crate::plan::Plan;
use crate::services::RunningService;
use crate::writes::add_latencies;
use crate::{redis_scale, verify};

const SECTION: &str = "one write at a time";

/// How often write-through asks Redis for one write: to begin it and to settle it.
const ROUND_TRIPS: f64 = 2.0;
/// How many single rows the database's own client writes.
const ROWS: usize = 2_000;

const MEAN: Measure = Measure::less("mean ms", 3);
const INSERT: Measure = Measure::plain("INSERT ms", 3);
const TWO_ROUND_TRIPS: Measure = Measure::plain("two round trips ms", 3);
const OF_PARTS: Measure = Measure::less("of its parts", 2).at_most(1.3);

/// Measures writes over one connection, and what they are made of, side by side.
pub(crate) fn measure(plan: &Plan, figures: &mut Figures) -> Result<()> {
    plan.repeat(SECTION, || {
        once(
            plan,
            &mut figures.row(SECTION, "write-through, Redis + MariaDB"),
        )
    })
}

fn once(plan: &Plan, row: &mut Row<'_>) -> Result<()> {
    let service = RunningService::start(Service::WriteThrough, Parts::RedisMariaDb)?;
    let client = OwnClient::new(&service.installation)?;
    let order = Order {
        script: Script::Unique,
        base_url: service.base_url(),
        target: &service.write_target(),
        connections: 1,
        threads: THREADS,
        duration: plan.load,
    };
    let warm_up = order.warm_up(plan)?;
    let processes = service.processes(plan)?;
    let before = processes.used()?;
    let load = order.run(plan)?;
    let used = processes.used()? - before;
    let insert_ms = client.single_insert_ms(ROWS)?;
    let round_trips_ms = ROUND_TRIPS * redis_scale::round_trip_ms()?;
    let mean_ms = 1e3 / load.per_second();
    row.add(MEAN, mean_ms);
    row.add(OF_PARTS, mean_ms / (insert_ms + round_trips_ms));
    row.add(INSERT, insert_ms);
    row.add(TWO_ROUND_TRIPS, round_trips_ms);
    used.add_to(row, &load);
    add_latencies(row, &load);
    row.add(FAILED, load.unsuccessful() as f64);
    let lost = verify::missing(service, warm_up.succeeded + load.succeeded)?;
    row.add(LOST, lost as f64);
    Ok(())
}
