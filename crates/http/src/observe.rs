//! Counts and times the requests of a route.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use actix_web::Error;
use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode};
use metrics::{Counter, Histogram, counter, histogram};

/// The metrics of one route on one worker thread, looked up once each.
#[derive(Clone)]
pub struct Observed {
    route: &'static str,
    series: Rc<RefCell<HashMap<Outcome, (Counter, Histogram)>>>,
}

/// A method's label, and the status that it was answered with.
type Outcome = (&'static str, StatusCode);

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

    /// Records how a request was answered, and how long that took.
    pub(crate) fn record(
        &self,
        method: &'static str,
        elapsed: Duration,
        answered: &Result<ServiceResponse, Error>,
    ) {
        let status = match answered {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        let mut series = self.series.borrow_mut();
        let (requests, durations) = series.entry((method, status)).or_insert_with(|| {
            let labels = [("route", self.route), ("method", method)];
            let requests =
                counter!("http_requests_total", "route" => self.route, "method" => method, "status" => status.as_str().to_owned());
            (requests, histogram!("http_request_duration_seconds", &labels))
        });
        requests.increment(1);
        durations.record(elapsed.as_secs_f64());
    }
}

/// Clients choose the method, so only the known ones become labels.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => "other",
    }
}
