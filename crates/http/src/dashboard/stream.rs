//! Server-sent events.

use std::convert::Infallible;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, X_CONTENT_TYPE_OPTIONS};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;

/// Asks nginx, which would hold events back until there are many, not to.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// First of all: how soon the browser asks again when the stream has ended.
const PREAMBLE: &str = "retry: 1000\n\n";

/// An answer of `text/event-stream` that sends each value as JSON as soon as it is there, and ends with
/// `values`. Whoever is to be noticed when he is gone must be sent something now and then.
pub fn events<T: Serialize + 'static>(values: impl Stream<Item = T> + 'static) -> HttpResponse {
    let events = values.filter_map(|value| async move {
        match serde_json::to_string(&value) {
            Ok(json) => Some(format!("data: {json}\n\n")),
            Err(error) => {
                tracing::error!(%error, "an event cannot be written as JSON");
                None
            }
        }
    });
    let texts = stream::iter([PREAMBLE.to_owned()]).chain(events);
    let body = texts.map(|text| Ok::<_, Infallible>(Bytes::from(text)));
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((X_ACCEL_BUFFERING, "no"))
        .streaming(body)
}
