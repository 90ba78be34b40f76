//! Everything that no other route takes.

use actix_service::apply_fn_factory;
use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use cache_core::settings::Service;

use crate::auth::Rights;
use crate::exchange::exchange;
use crate::observe::{Observed, UNKNOWN_ROUTE};
use crate::problem::{Kind, Problem};
use crate::resource::allowed;
use crate::state::State;

/// The methods that any route has.
const ALL_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, OPTIONS");

/// The first segments of the routes that only one of the services has.
const OWN: &[(&str, Service)] = &[
    ("write-through", Service::WriteThrough),
    ("read-through", Service::WriteThrough),
    ("write-behind", Service::WriteBehind),
    ("read-behind", Service::WriteBehind),
    ("journal", Service::WriteBehind),
    ("flush", Service::WriteBehind),
    ("dead-letters", Service::WriteBehind),
];

/// Has what no other route takes answered: also `*`, which no path matches.
pub fn configure(config: &mut ServiceConfig) {
    let observed = Observed::new(UNKNOWN_ROUTE);
    let rights = Rights::default();
    config.default_service(apply_fn_factory(
        web::to(answer_unknown),
        move |request, routes| exchange(&observed, &rights, request, routes),
    ));
}

async fn answer_unknown(state: Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let path = request.path();
    // RFC 9110, section 9.3.7: asks for the whole server.
    if path == "*" && request.method() == Method::OPTIONS {
        return Ok(allowed(ALL_METHODS));
    }
    Err(match owner(path) {
        Some(owner) if owner != state.service => of_other_service(owner, state.service),
        _ => Problem::new(Kind::NoSuchRoute, "there is no such resource"),
    })
}

fn owner(path: &str) -> Option<Service> {
    let first = path.strip_prefix('/')?.split('/').next()?;
    let mut own = OWN.iter();
    own.find(|(segment, _)| *segment == first)
        .map(|(_, owner)| *owner)
}

fn of_other_service(owner: Service, this: Service) -> Problem {
    let (owner, listen) = (owner.binary(), owner.default_listen());
    let detail = format!(
        "this is {}, and the route is one of {owner}, which `cargo run --release -p {owner}` starts on {listen}",
        this.binary()
    );
    Problem::new(Kind::NoSuchRoute, detail)
}
