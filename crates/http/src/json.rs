//! Bodies of JSON. Each ends with a newline, so that a terminal shows what comes next on a line of its own.

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer to people.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Message {
    /// What happened.
    pub message: &'static str,
}
/// An answer with `value`, which is of texts and numbers, so that it can be written as JSON.
pub fn json(mut answer: HttpResponseBuilder, value: &impl Serialize) -> HttpResponse {
    answer
        .insert_header((CONTENT_TYPE, JSON))
        .body(written(value))
}

/// `value` as a body.
pub(crate) fn written(value: &impl Serialize) -> Vec<u8> {
    let mut body = serde_json::to_vec(value).unwrap_or_default();
    body.push(b'\n');
    body
}
