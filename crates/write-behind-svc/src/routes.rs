//! The routes that only this service has.

use actix_web::http::Method;
use actix_web::web::{Data, ServiceConfig};
use cache_core::engine::write_behind::WriteBehind;
use cache_http::resource::{on, resource};
use cache_http::users;

use crate::{dead_letters, journal};

/// Adds `POST /write-behind`, `POST /read-behind`, and what is about the journal
/// and its dead letters.
pub(crate) fn configure(config: &mut ServiceConfig, engine: Data<WriteBehind>) {
    config.app_data(engine);
    resource(
        config,
        "/write-behind",
        "POST",
        vec![on(Method::POST, users::write)],
    );
    resource(
        config,
        "/read-behind",
        "POST",
        vec![on(Method::POST, users::read)],
    );
    journal::configure(config);
    dead_letters::configure(config);
}
