//! When a client that met an unavailable part comes back: the longer the part has been unavailable, the
//! later.

use std::time::Duration;

use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use cache_core::error::Part;
use cache_core::outage::{Calls, Outages};

use crate::problem::{Problem, RETRY_S_MIN};

/// A client comes back after a tenth of the time that the part has been unavailable.
const PART_OF_OUTAGE: u32 = 10;
/// And no later than this, nor sooner than after [`RETRY_S_MIN`].
const RETRY_S_MAX: u64 = 30;

/// The seconds after which a client of a part comes back that has been unavailable for so long.
pub(crate) fn seconds(unavailable: Option<Duration>) -> u64 {
    let share = unavailable.unwrap_or_default() / PART_OF_OUTAGE;
    let rounded_up = share.as_secs() + u64::from(share.subsec_nanos() > 0);
    rounded_up.clamp(RETRY_S_MIN, RETRY_S_MAX)
}

/// After how many seconds a client of each part comes back.
pub(crate) fn seconds_of(outages: &Outages) -> impl Fn(Part, Calls) -> u64 + '_ {
    |part, calls| seconds(outages.failing_for(part, calls))
}

/// Adds a `Retry-After` to an answer that says that a part is unavailable.
pub(crate) fn told(mut response: ServiceResponse, outages: &Outages) -> ServiceResponse {
    let problem = Problem::of_answer(&response);
    if let Some((part, calls)) = problem.and_then(Problem::unavailable) {
        let seconds = seconds_of(outages)(part, calls);
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_come_back_later_the_longer_a_part_is_unavailable() {
        let after = |outage_s: u64| seconds(Some(Duration::from_secs(outage_s)));
        assert_eq!(seconds(None), RETRY_S_MIN);
        assert_eq!(seconds(Some(Duration::from_millis(10_001))), 2);
        let expected = [
            (0, 1),
            (10, 1),
            (11, 2),
            (50, 5),
            (100, 10),
            (150, 15),
            (300, 30),
        ];
        for (outage_s, retry_s) in expected {
            assert_eq!(after(outage_s), retry_s, "{outage_s}");
        }
        assert_eq!(after(1_000_000), RETRY_S_MAX);
    }
}
