//! `Expect: 100-continue`: the client is asked for its body only when a handler reads it.
//!
//! actix answers `100` before it calls the routes. So the routes are called first with a body that never
//! comes. If they answer without reading it, that answer is final. If they begin to read it, they have done
//! nothing else yet: that call is dropped, and actix asks for the body and calls them again.

use std::cell::Cell;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_http::{Request, Response};
use actix_web::HttpMessage as _;
use actix_web::body::BoxBody;
use actix_web::dev::{
    AppConfig, Payload, Service, ServiceFactory, ServiceResponse, fn_factory, fn_service,
};
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;

use crate::connection::Clock;
use crate::unread::Held;

/// The service that decides about each request with `Expect: 100-continue`, by the same routes.
pub(crate) fn expect<A>(
    app: A,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = Request,
    Error = Response<BoxBody>,
    InitError = (),
    Future: 'static,
>
where
    A: ServiceFactory<
            Request,
            Config = AppConfig,
            Response = ServiceResponse,
            Error = actix_web::Error,
            InitError = (),
            Future: 'static,
            Service: 'static,
        >,
{
    fn_factory(move || {
        let app = app.new_service(AppConfig::default());
        async move {
            let app = Rc::new(app.await?);
            Ok(fn_service(move |request| decide(app.clone(), request)))
        }
    })
}

/// Returns the request if its body is wanted, otherwise the answer to it.
async fn decide<A>(app: Rc<A>, mut request: Request) -> Result<Request, Response<BoxBody>>
where
    A: Service<Request, Response = ServiceResponse, Error = actix_web::Error>,
{
    let clock = request.conn_data::<Rc<Clock>>().cloned();
    let _in_progress = clock.as_ref().map(Clock::begin);
    let is_wanted = Rc::new(Cell::new(false));
    let body = Payload::Stream {
        payload: Box::pin(Awaited(is_wanted.clone())) as Pin<Box<dyn Stream<Item = _>>>,
    };
    let mut asked = Request::with_payload(body);
    asked.head_mut().clone_from(request.head());
    asked.extensions_mut().insert(Preview);
    if let Some(clock) = clock.clone() {
        asked.extensions_mut().insert(clock);
    }
    let mut answer = pin!(app.call(asked));
    let answer = poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending if is_wanted.get() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await;
    let answer: Response<BoxBody> = match answer {
        None => return Ok(request),
        Some(Ok(answer)) => answer.into(),
        Some(Err(error)) => error.into(),
    };
    let held = Held::of(request.take_payload());
    Err(answer.map_body(|_, body| held.until_answered(body)))
}

/// Marks a request whose routes are asked whether they want its body: it comes again if they do.
#[derive(Debug)]
pub(crate) struct Preview;

/// A body that never comes, and that notes whether it was read.
struct Awaited(Rc<Cell<bool>>);

impl Stream for Awaited {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.set(true);
        Poll::Pending
    }
}
