//! `DELETE /cache` and `DELETE /cache/users/{name}`: forget clean cached values, after another
//! program has changed rows.

use actix_web::http::Method;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use cache_core::model::record::Key;

use crate::path;
use crate::problem::Problem;
use crate::resource::{on, resource};
use crate::state::State;

/// Adds both.
pub fn configure(config: &mut ServiceConfig) {
    resource(
        config,
        "/cache",
        "DELETE",
        vec![on(Method::DELETE, forget_all)],
    );
    resource(
        config,
        "/cache/users/{name}",
        "DELETE",
        vec![on(Method::DELETE, forget)],
    );
}

/// `204` whatever was held: what is dirty or in doubt stays, and is newer than the database.
async fn forget(state: Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let key = Key::from(&*path::name(&request)?);
    let forgotten = state.engine.forget(&key).await;
    answer(forgotten)
}

async fn forget_all(state: Data<State>) -> Result<HttpResponse, Problem> {
    answer(state.engine.forget_all().await)
}

fn answer(forgotten: cache_core::error::Result<()>) -> Result<HttpResponse, Problem> {
    forgotten.map_err(|error| Problem::of_read(&error))?;
    Ok(HttpResponse::NoContent().finish())
}
