//! Calls about many users, whose bodies and answers are streams.
//!
//! What one stream holds is bounded by the constants of `stream`, `chunk` and `lines`, and the
//! number of streams by [`crate::streams::Streams`].

mod answers;
pub(crate) mod calls;
mod change;
mod chunk;
mod export;
mod get;
mod lines;
mod stream;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use actix_web::web::{Data, Payload};
use actix_web::{Error, HttpResponse};
use cache_core::engine::Durability;
use cache_core::settings::Service;
use futures_util::StreamExt as _;

use crate::body;
use crate::connection::Clock;
use crate::durability::RequestedDurability;
use crate::ndjson::{NDJSON, headed};
use crate::problem::Problem;
use crate::state::State;

pub(crate) use change::{Change, too_long};
pub(crate) use chunk::{Chunk, started};
pub(crate) use export::export;
pub(crate) use get::get_many;
pub(crate) use lines::{LINE_BYTES_MAX, Lines};

use stream::Stream;

const DURABILITY: HeaderName = HeaderName::from_static("durability");

/// `POST` of a line for each write: answers a line for each of them.
///
/// # Errors
/// `4xx` for a wrong head, `408` when nothing comes, `503` while there are too many streams.
pub(crate) async fn batch(
    state: Data<State>,
    request: HttpRequest,
    mut payload: Payload,
) -> Result<HttpResponse, Error> {
    body::check_type(&request, "application/x-ndjson")?;
    let wanted = RequestedDurability::of(&request)?;
    if [IF_MATCH, IF_NONE_MATCH]
        .iter()
        .any(|header| request.headers().contains_key(header))
    {
        let detail = "a batch has no preconditions: If-Match and If-None-Match are for one user";
        return Err(Problem::malformed(detail).into());
    }
    let place = state.streams.stream()?;
    // IMPORTANT: before the answer begins. A client that expects `100 Continue` sends nothing before.
    let first = tokio::time::timeout(stream::LINE_TIMEOUT, payload.next()).await;
    let first = first.map_err(|_| body::timed_out())?;
    let first = first.transpose().map_err(|_| body::cut_off())?;
    let clock = Clock::of(&request).map(|clock| clock.stream());
    let durability = match state.service {
        Service::WriteThrough => Durability::Persisted,
        Service::WriteBehind => wanted.durability(),
    };
    let (sender, answers) = answers::channel();
    let stream = Stream::new(state, wanted, sender);
    actix_web::rt::spawn(async move {
        let (_place, _clock) = (place, clock);
        stream.run(first, payload).await;
    });
    Ok(headed(NDJSON)
        .insert_header((DURABILITY, HeaderValue::from_static(durability.as_str())))
        .streaming(answers))
}
