//! Keeps pages of others from the page's buttons, and from what it shows.

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::{Error, InternalError};
use actix_web::http::header::{CONTENT_TYPE, HOST, HeaderMap, ORIGIN};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use cache_http::origins::{is_of, is_of_this_machine, only};

/// Lets pass what the page itself can have sent.
///
/// - `421` for a `Host` that is a name other than `localhost`, from any client, since only browsers
///   use this page.
/// - `403` for a `POST` from a page of another origin.
/// - `415` for a `POST` that is not JSON: a page of another origin could send that without a preflight.
pub(super) async fn own_page_only(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if let Some((status, why)) = refusal(request.method(), request.headers()) {
        let response = HttpResponse::build(status).body(why);
        return Err(InternalError::from_response(why, response).into());
    }
    next.call(request).await
}

fn refusal(method: &Method, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
    let Some(host) = only(headers, HOST).filter(|host| is_of_this_machine(host)) else {
        let why = "ask for this page by an IP address or localhost";
        return Some((StatusCode::MISDIRECTED_REQUEST, why));
    };
    if method.is_safe() {
        return None;
    }
    if headers.contains_key(ORIGIN)
        && !only(headers, ORIGIN).is_some_and(|origin| is_of(origin, host))
    {
        return Some((StatusCode::FORBIDDEN, "only this page itself may do that"));
    }
    if !only(headers, CONTENT_TYPE).is_some_and(is_json) {
        let why = "send application/json";
        return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    None
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}
