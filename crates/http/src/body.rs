//! Reading a request's JSON body: its media type, its bound, its time.

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::Instant;

use crate::connection::{Clock, REQUEST_TIMEOUT};
use crate::problem::{Kind, Problem};

/// Most bytes of a body. The longest valid record, every character of it
/// written as a surrogate pair, has 7 KiB.
pub const BODY_MAX_BYTES: usize = 16 * 1024;

/// The whole body of `request`, which must have been sent as JSON. It is not parsed yet.
///
/// Not an extractor, whose future would be boxed.
///
/// # Errors
/// `4xx` when it is no JSON by its head, too large, cut off or too slow.
pub async fn read_json(request: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
    check(request)?;
    let due = Clock::of(request).and_then(|clock| clock.body_due());
    let due = due.unwrap_or_else(|| Instant::now() + REQUEST_TIMEOUT);
    let body = tokio::time::timeout_at(due, read(payload)).await;
    body.unwrap_or_else(|_| {
        Err(Problem::new(
            Kind::RequestTimeout,
            "the request did not arrive in time",
        ))
    })
}

fn check(request: &HttpRequest) -> Result<(), Problem> {
    if !is_json(request) {
        return Err(Problem::new(
            Kind::UnsupportedMediaType,
            "the body must be sent as Content-Type: application/json",
        ));
    }
    let length = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_MAX_BYTES as u64) {
        Err(too_large())
    } else {
        Ok(())
    }
}

/// `application/json`, with no charset or UTF-8, which is the only one JSON has.
fn is_json(request: &HttpRequest) -> bool {
    let mut types = request.headers().get_all(CONTENT_TYPE);
    let (Some(value), None) = (types.next(), types.next()) else {
        return false;
    };
    // Read here and not by the mime crate, which refuses the white space that
    // RFC 9110 allows before a semicolon.
    let mut parts = value.to_str().unwrap_or_default().split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    is_json
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
        let chunk = chunk.map_err(|_| Problem::malformed("the body cannot be read to its end"))?;
        if first.len().max(whole.len()) + chunk.len() > BODY_MAX_BYTES {
            return Err(too_large());
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

fn too_large() -> Problem {
    Problem::new(
        Kind::BodyTooLarge,
        format!("the body has more than {BODY_MAX_BYTES} bytes"),
    )
}
