//! Answers of one JSON text a line, which are made while they are sent.

use std::convert::Infallible;
use std::future::Future;

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::streamed::{UNBUFFERED, received};

/// The media type of lines of JSON.
pub(crate) const MEDIA_TYPE: &str = "application/x-ndjson";
pub(crate) const NDJSON: HeaderValue = HeaderValue::from_static(MEDIA_TYPE);

/// Takes the lines of one answer.
#[derive(Debug)]
pub struct Lines(mpsc::Sender<Bytes>);

impl Lines {
    /// Sends a line for each value, once the client has taken what was sent before. Returns `false`
    /// when the client is gone.
    pub async fn send<T: Serialize>(&self, values: &[T]) -> bool {
        let mut lines = Vec::new();
        for value in values {
            // Of texts and numbers, into memory: this cannot fail.
            let _ = serde_json::to_writer(&mut lines, value);
            lines.push(b'\n');
        }
        self.0.send(lines.into()).await.is_ok()
    }
}

/// An answer that is sent as it is made.
pub(crate) fn headed(content_type: HeaderValue) -> HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header(UNBUFFERED);
    answer
}

/// An answer with the lines that `write` sends. `write` runs on when the client disconnects, until it
/// next sends something.
pub fn ndjson<F>(write: impl FnOnce(Lines) -> F) -> HttpResponse
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(write(Lines(sender)));
    headed(NDJSON).streaming(received(receiver).map(Ok::<_, Infallible>))
}
