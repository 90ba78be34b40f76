//! CORS: pages of other sites that may call the service and read its answers.
//!
//! A browser asks by `OPTIONS` whether it may send what is no plain request. That is answered with the methods of the
//! resource, and never with `Access-Control-Allow-Credentials`: there are no cookies, and a page sends a token itself.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW,
    HeaderMap, HeaderValue, ORIGIN, VARY,
};

use crate::origins::only;

/// What a page may read of an answer besides what any may.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("ETag, Durability, Cache-Status, Retry-After, X-Request-Id");
/// What a page may send besides what any may.
const ALLOWED: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, If-Match, If-None-Match, Cache-Control, X-Request-Id, traceparent, tracestate",
);
/// For how many seconds a browser need not ask again.
const ASKED_AGAIN_S: u32 = 600;

/// The origins of those pages. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Cors {
    listed: Arc<[String]>,
}

/// What the answer to one request is to say.
#[derive(Debug)]
pub(crate) struct Permission {
    /// The origin of the page, if it is listed.
    origin: Option<HeaderValue>,
    /// Whether a browser asks what it may send.
    is_preflight: bool,
}

impl Cors {
    /// `None` where no origin is listed.
    pub(crate) fn listed(listed: &[String]) -> Option<Cors> {
        let listed: Arc<[String]> = listed.into();
        (!listed.is_empty()).then_some(Cors { listed })
    }

    /// What the page that sends a request may do.
    pub(crate) fn of(&self, method: &Method, headers: &HeaderMap) -> Permission {
        let is_listed = |origin: &&str| self.listed.iter().any(|listed| listed == origin);
        let origin = only(headers, ORIGIN).filter(is_listed);
        Permission {
            origin: origin.and_then(|origin| HeaderValue::from_str(origin).ok()),
            is_preflight: *method == Method::OPTIONS
                && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD),
        }
    }
}

impl Permission {
    /// Says so in the headers of the answer.
    pub(crate) fn say(self, headers: &mut HeaderMap) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = self.origin else {
            return;
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        if let Some(methods) = headers.get(ALLOW).filter(|_| self.is_preflight).cloned() {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED);
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(ASKED_AGAIN_S));
        }
    }
}
