//! The routes that only this service has.

use actix_web::http::Method;
use actix_web::web::ServiceConfig;
use cache_http::resource::{on, resource};
use cache_http::users;

/// Adds `POST /write-through` and `POST /read-through`.
pub(crate) fn configure(config: &mut ServiceConfig) {
    resource(
        config,
        "/write-through",
        "POST",
        vec![on(Method::POST, users::write)],
    );
    resource(
        config,
        "/read-through",
        "POST",
        vec![on(Method::POST, users::read)],
    );
}
