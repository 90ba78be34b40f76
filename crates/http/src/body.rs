//! Reading a request's JSON body: its media type, its bound, its time.

use std::future::Future;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::connection::{Clock, REQUEST_TIMEOUT};
use crate::problem::{Kind, Problem};
use crate::streams::Streams;

/// Most bytes of a body. The longest valid record, every character of it
/// written as a surrogate pair, has 7 KiB.
pub const BODY_MAX_BYTES: usize = 16 * 1024;
/// Most bytes of a list of names. A thousand of the longest have as many, unless they are escaped.
const LONG_BODY_MAX_BYTES: usize = 1 << 20;

/// The whole body of `request`, which must have been sent as JSON. It is not parsed yet.
///
/// Not an extractor, whose future would be boxed.
///
/// # Errors
/// `4xx` when it is no JSON by its head, too large, cut off or too slow.
pub async fn read_json(request: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
    check(request, BODY_MAX_BYTES)?;
    in_time(request, read(payload)).await
}

/// The same of a body of up to [`LONG_BODY_MAX_BYTES`], and the place that one over [`BODY_MAX_BYTES`]
/// takes: keep it as long as the body.
///
/// # Errors
/// As [`read_json`]; `503` while too many such bodies are under way.
pub(crate) async fn read_long_json(
    request: &HttpRequest,
    payload: Payload,
    streams: &Streams,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Problem> {
    check(request, LONG_BODY_MAX_BYTES)?;
    in_time(request, read_long(payload, streams)).await
}

/// Not `async`, which would have room for `read` twice.
fn in_time<T, R: Future<Output = Result<T, Problem>>>(
    request: &HttpRequest,
    read: R,
) -> impl Future<Output = Result<T, Problem>> + use<T, R> {
    let due = Clock::of(request).and_then(|clock| clock.body_due());
    let due = due.unwrap_or_else(|| Instant::now() + REQUEST_TIMEOUT);
    let body = tokio::time::timeout_at(due, read);
    body.map(|body| body.unwrap_or_else(|_| Err(timed_out())))
}

pub(crate) fn timed_out() -> Problem {
    Problem::new(Kind::RequestTimeout, "the request did not arrive in time")
}

pub(crate) fn cut_off() -> Problem {
    Problem::malformed("the body cannot be read to its end")
}

fn check(request: &HttpRequest, bytes_max: usize) -> Result<(), Problem> {
    check_type(request, "application/json")?;
    let length = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > bytes_max as u64) {
        Err(too_large(bytes_max))
    } else {
        Ok(())
    }
}

/// # Errors
/// `415` for a body that was not sent as this media type.
pub(crate) fn check_type(request: &HttpRequest, media_type: &str) -> Result<(), Problem> {
    match is_of_type(request, media_type) {
        true => Ok(()),
        false => Err(Problem::new(
            Kind::UnsupportedMediaType,
            format!("the body must be sent as Content-Type: {media_type}"),
        )),
    }
}

/// The media type, with no charset or UTF-8, which is the only one JSON has.
fn is_of_type(request: &HttpRequest, media_type: &str) -> bool {
    let mut types = request.headers().get_all(CONTENT_TYPE);
    let (Some(value), None) = (types.next(), types.next()) else {
        return false;
    };
    // Read here and not by the mime crate, which refuses the white space that
    // RFC 9110 allows before a semicolon.
    let mut parts = value.to_str().unwrap_or_default().split(';').map(str::trim);
    let is_named = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case(media_type));
    is_named
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.eq_ignore_ascii_case("charset") => {
                charset.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

async fn read(mut payload: Payload) -> Result<Bytes, Problem> {
    // Most bodies come in one piece, which is not copied.
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| cut_off())?;
        if first.len().max(whole.len()) + chunk.len() > BODY_MAX_BYTES {
            return Err(too_large(BODY_MAX_BYTES));
        }
        if first.is_empty() && whole.is_empty() {
            first = chunk;
            continue;
        }
        whole.extend_from_slice(&std::mem::take(&mut first));
        whole.extend_from_slice(&chunk);
    }
    Ok(match whole.is_empty() {
        true => first,
        false => whole.freeze(),
    })
}

async fn read_long(
    mut payload: Payload,
    streams: &Streams,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Problem> {
    let (mut whole, mut place) = (BytesMut::new(), None);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| cut_off())?;
        let length = whole.len() + chunk.len();
        if length > LONG_BODY_MAX_BYTES {
            return Err(too_large(LONG_BODY_MAX_BYTES));
        }
        if length > BODY_MAX_BYTES && place.is_none() {
            place = Some(streams.large_body()?);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok((whole.freeze(), place))
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(
        Kind::BodyTooLarge,
        format!("the body has more than {bytes_max} bytes"),
    )
}
