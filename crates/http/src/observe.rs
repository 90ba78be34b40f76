//! Counts and times the requests of a route.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
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

    /// Answers with `next` and records how that went.
    ///
    /// # Errors
    /// As `next`.
    pub async fn record<B: MessageBody>(
        self,
        request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<B>, Error> {
        let began = Instant::now();
        let method = method_label(request.method());
        let response = next.call(request).await;
        let status = match &response {
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
        durations.record(began.elapsed().as_secs_f64());
        response
    }
}

/// Clients choose the method, so only the known ones become labels.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => "other",
    }
}
