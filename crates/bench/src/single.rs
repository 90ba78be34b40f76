//! One write at a time: what write-through costs beside the commit and the round trips that it is made of.

use test_support::parts::Parts;
use test_support::service::Service;

use crate::Result;
use crate::figures::SingleOnce;
use crate::load::{self, Script};
use crate::own_client;
use crate::plan::{Plan, progress};
use crate::redis_scale;
use crate::services::RunningService;

/// How often write-through asks Redis for one write: to begin it and to settle it.
const ROUND_TRIPS: f64 = 2.0;
/// How many single rows the database's own client writes.
const ROWS: usize = 2_000;

/// Measures writes over one connection, and what they are made of, side by side.
pub(crate) fn measure(plan: &Plan) -> Result<Vec<SingleOnce>> {
    (1..=plan.repetitions)
        .map(|repetition| {
            progress(&format!(
                "{repetition}/{} one write at a time",
                plan.repetitions
            ));
            let service = RunningService::start(Service::WriteThrough, Parts::RedisMariaDb)?;
            let load = load::run(
                plan,
                Script::Unique,
                service.base_url(),
                service.write_target(),
                1,
            )?;
            let insert_ms = own_client::single_insert_ms(ROWS)?;
            let round_trips_ms = ROUND_TRIPS * redis_scale::round_trip_ms()?;
            Ok(SingleOnce {
                load: load.load,
                insert_ms,
                round_trips_ms,
            })
        })
        .collect()
}
