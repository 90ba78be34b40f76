//! Server-sent events.

use std::convert::Infallible;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;

use crate::streamed::UNBUFFERED;

/// First of all: how soon the browser asks again when the stream has ended.
const PREAMBLE: Bytes = Bytes::from_static(b"retry: 1000\n\n");

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// How it was, for the charts.
    Past,
    /// How it is.
    Now,
}

/// An event as it is sent.
pub(crate) fn frame(moment: Moment, json: &[u8]) -> Bytes {
    let head: &[u8] = match moment {
        Moment::Past => b"event: past\ndata: ",
        Moment::Now => b"data: ",
    };
    Bytes::from([head, json, b"\n\n"].concat())
}

/// An answer of `text/event-stream` that sends each value as JSON as soon as it is there, and ends with
/// `values`. A client that is gone is only noticed when it is sent something.
pub fn events<T: Serialize + 'static>(values: impl Stream<Item = T> + 'static) -> HttpResponse {
    frames(values.filter_map(|value| async move {
        match serde_json::to_vec(&value) {
            Ok(json) => Some(frame(Moment::Now, &json)),
            Err(error) => {
                tracing::error!(%error, "an event cannot be written as JSON");
                None
            }
        }
    }))
}

/// The same of events as they are sent.
pub(crate) fn frames(frames: impl Stream<Item = Bytes> + 'static) -> HttpResponse {
    let body = stream::iter([PREAMBLE]).chain(frames);
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header(UNBUFFERED)
        .streaming(body.map(Ok::<_, Infallible>))
}
