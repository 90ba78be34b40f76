//! Counts and times the requests of a route.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use actix_web::Error;
use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode};
use cache_core::telemetry;
use metrics::{Counter, Histogram, counter, histogram};

use crate::problem::Problem;

/// Routes that do not count as requests of clients: they are asked all the time, or wait by design.
const MONITORING: &[&str] = &[
    "/healthz",
    "/readyz",
    "/metrics",
    "/dashboard",
    "/dashboard/events",
    "/flush",
];

/// Whether requests of the route are those of clients.
pub(crate) fn is_of_clients(route: &str) -> bool {
    !MONITORING.contains(&route)
}

/// Whether the route tells a load balancer whether to send requests, so that none may be refused.
pub(crate) fn is_a_probe(route: &str) -> bool {
    matches!(route, "/healthz" | "/readyz")
}

/// The label of all paths that no route has.
pub(crate) const UNKNOWN_ROUTE: &str = "unknown";

/// How a request ended that took its time.
const ANSWERED: &str = "answered";
const FAILED: &str = "failed";

/// The metrics of one route on one worker thread, looked up once each.
#[derive(Clone)]
pub struct Observed {
    route: &'static str,
    series: Rc<RefCell<HashMap<Answered, (Counter, Histogram)>>>,
}

/// A method's label, and the status that it was answered with.
type Answered = (&'static str, StatusCode);

impl std::fmt::Debug for Observed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Observed({})", self.route)
    }
}

impl Observed {
    /// The metrics of `route`.
    pub fn new(route: &'static str) -> Observed {
        Observed {
            route,
            series: Rc::default(),
        }
    }

    /// The template of the route.
    pub(crate) fn route(&self) -> &'static str {
        self.route
    }

    /// Whether the route is one whose requests show by their age whether the service hangs.
    pub(crate) fn is_of_clients(&self) -> bool {
        is_of_clients(self.route)
    }

    /// Records how a request was answered, and how long that took.
    pub(crate) fn record(
        &self,
        method: &'static str,
        elapsed: Duration,
        answered: &Result<ServiceResponse, Error>,
    ) {
        let status = status_of(answered);
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            count_error(answered);
        }
        let mut series = self.series.borrow_mut();
        let (requests, durations) = series.entry((method, status)).or_insert_with(|| {
            let outcome = if status.is_server_error() { FAILED } else { ANSWERED };
            let labels = [("route", self.route), ("method", method), ("outcome", outcome)];
            let requests =
                counter!("write_cache_http_requests_total", "route" => self.route, "method" => method, "status" => status.as_str().to_owned());
            (requests, histogram!("write_cache_http_request_duration_seconds", &labels))
        });
        requests.increment(1);
        durations.record(elapsed.as_secs_f64());
    }
}

/// The status that the client is answered with.
pub(crate) fn status_of(answered: &Result<ServiceResponse, Error>) -> StatusCode {
    match answered {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    }
}

/// Counts an answer of 500 by what failed, where that is known.
fn count_error(answered: &Result<ServiceResponse, Error>) {
    let problem = match answered {
        Ok(response) => Problem::of_answer(response),
        Err(error) => error.as_error(),
    };
    let cause = problem.and_then(Problem::cause);
    let (part, kind) = cause.map_or((None, "internal"), |cause| (cause.part, cause.kind));
    telemetry::failed_of("answer", part, kind);
}

/// The label of every other method.
pub(crate) const OTHER_METHOD: &str = "other";

/// Clients choose the method, so only the known ones become labels.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => OTHER_METHOD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_waits_by_design() {
        assert!(!Observed::new("/flush").is_of_clients());
        assert!(Observed::new("/users/{name}").is_of_clients());
    }
}
