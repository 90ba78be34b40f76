//! Answers that are made while they are sent.

use actix_web::http::header::{HeaderName, HeaderValue};
use futures_util::{Stream, stream};
use tokio::sync::mpsc;

/// A header that asks nginx, which would hold pieces back until there are many, not to.
pub(crate) const UNBUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// What is sent to `receiver`, until all senders are dropped.
pub fn received<T>(mut receiver: mpsc::Receiver<T>) -> impl Stream<Item = T> {
    stream::poll_fn(move |context| receiver.poll_recv(context))
}

/// The same, without a bound of its own.
pub(crate) fn received_unbounded<T>(
    mut receiver: mpsc::UnboundedReceiver<T>,
) -> impl Stream<Item = T> {
    stream::poll_fn(move |context| receiver.poll_recv(context))
}
