//! Everything that no other route takes.

use actix_service::apply;
use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use crate::exchange::exchange;
use crate::observe::Observed;
use crate::problem::{Kind, Problem};
use crate::resource::allowed;

/// The methods that any route has.
const ALL_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, OPTIONS");

/// Has what no other route takes answered: also `*`, which no path matches.
pub fn configure(config: &mut ServiceConfig) {
    let observed = Observed::new("unknown");
    let answer = move |request, next| exchange(observed.clone(), request, next);
    config.default_service(apply(from_fn(answer), web::to(answer_unknown)));
}

async fn answer_unknown(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let path = request.path();
    // RFC 9110, section 9.3.7: asks for the whole server.
    if path == "*" && request.method() == Method::OPTIONS {
        return Ok(allowed(ALL_METHODS));
    }
    Err(Problem::new(Kind::NoSuchRoute, "there is no such resource"))
}
