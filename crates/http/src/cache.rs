//! `DELETE /cache` and `DELETE /cache/users/{name}`: forget clean cached values, after another
//! program has changed rows.

use actix_web::http::Method;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cache_core::model::record::Key;

use crate::description::{Answer, Call, ENGINE, PARAMETERS, Tag, name_in_path};
use crate::path;
use crate::problem::Problem;
use crate::resource::{Right, Routes, on, resource};
use crate::state::State;

/// Adds both.
pub fn configure(routes: &mut Routes) {
    resource(
        routes,
        "/cache",
        "DELETE",
        vec![on(
            Method::DELETE,
            Right::Admin,
            forget_all,
            forget_all_call,
        )],
    );
    resource(
        routes,
        "/cache/users/{name}",
        "DELETE",
        vec![on(Method::DELETE, Right::Write, forget, forget_call)],
    );
}

fn forget_call() -> Call {
    Call::new(
        Tag::Cache,
        "forgetUser",
        "Forget the cached value of a user",
    )
    .text("Values that the database does not have yet stay.")
    .takes(name_in_path("The user's name, percent-encoded."))
    .answers(Answer::new(
        StatusCode::NO_CONTENT,
        "The next read asks the database.",
    ))
    .refuses(PARAMETERS)
    .refuses(ENGINE)
}

fn forget_all_call() -> Call {
    Call::new(Tag::Cache, "forgetAll", "Forget all cached values")
        .text("Values that the database does not have yet stay.")
        .answers(Answer::new(
            StatusCode::NO_CONTENT,
            "The next read of each user asks the database.",
        ))
        .refuses(ENGINE)
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
