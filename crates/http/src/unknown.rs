//! Everything that no other route takes.

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use crate::exchange::exchange;
use crate::observe::Observed;
use crate::problem::{Kind, Problem};

/// Adds the route that takes what is left; it comes last.
pub fn configure(config: &mut ServiceConfig) {
    let observed = Observed::new("unknown");
    let answer = move |request, next| exchange(observed.clone(), request, next);
    config.service(
        web::resource("/{path:.*}")
            .default_service(web::to(no_such_resource))
            .wrap(from_fn(answer)),
    );
}

async fn no_such_resource() -> Result<&'static str, Problem> {
    Err(Problem::new(Kind::NoSuchRoute, "there is no such resource"))
}
