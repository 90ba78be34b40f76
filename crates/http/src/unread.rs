//! Bodies of requests that are answered before they have been read.
//!
//! Once the reader of a body is dropped, actix reads the rest of the body for as long as it comes. So the
//! reader is kept until the answer is complete. Then actix closes the connection after [`LINGER`], in
//! which a client that reads only after it has written gets the answer.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage as _;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;

/// How long the rest of a body is read and discarded after the answer.
pub(crate) const LINGER: Duration = Duration::from_secs(3);

/// Keeps a request's body; `None` where there is none.
pub(crate) fn hold(request: &mut ServiceRequest) -> Option<Held> {
    let payload = request.take_payload();
    if matches!(payload, Payload::None) {
        return None;
    }
    let shared = Rc::new(RefCell::new(payload));
    let reader = Box::pin(Reader(shared.clone()));
    request.set_payload(Payload::Stream { payload: reader });
    Some(Held { body: shared })
}

/// A body, read or not.
pub(crate) struct Held {
    body: Rc<RefCell<Payload>>,
}

impl Held {
    /// A body that no handler was given.
    pub(crate) fn of(payload: Payload) -> Held {
        Held {
            body: Rc::new(RefCell::new(payload)),
        }
    }

    /// The same answer. The request's body is kept until the answer is complete, unless it was read to
    /// its end.
    pub(crate) fn until_answered(self, body: BoxBody) -> BoxBody {
        if matches!(*self.body.borrow(), Payload::None) {
            return body;
        }
        let answer = Answer { body, _held: self };
        answer.boxed()
    }
}

struct Reader(Rc<RefCell<Payload>>);

impl Stream for Reader {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = &mut *self.0.borrow_mut();
        let piece = Pin::new(&mut *body).poll_next(context);
        if let Poll::Ready(None) = piece {
            *body = Payload::None;
        }
        piece
    }
}

struct Answer {
    body: BoxBody,
    _held: Held,
}

impl MessageBody for Answer {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
