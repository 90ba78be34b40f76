//! Cross-site requests and DNS rebinding: which requests of a browser are refused.
//!
//! A browser is recognised by `Origin` or `Sec-Fetch-Site`. Other clients send neither, and are not
//! concerned.

use std::net::IpAddr;

use actix_web::http::Method;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use actix_web::http::uri::Authority;

use crate::problem::{Kind, Problem};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The public origins of this service behind a proxy.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    listed: Vec<String>,
    /// Those of pages of other sites that may call it.
    others: Vec<String>,
    /// Whether its pages are reached by `https`.
    is_secure: bool,
}

impl Origins {
    /// These origins, as browsers send them: `https://users.example`.
    pub fn listed(listed: Vec<String>) -> Origins {
        Origins {
            listed,
            others: Vec::new(),
            is_secure: false,
        }
    }

    /// The same for a service that speaks TLS, or not.
    #[must_use]
    pub fn secure(self, is_secure: bool) -> Origins {
        Origins { is_secure, ..self }
    }

    /// The same, and these origins of other sites, whose pages may send any request. Their hosts are none of this
    /// service.
    #[must_use]
    pub fn with_others(self, others: Vec<String>) -> Origins {
        Origins { others, ..self }
    }

    /// The refusal of a request, by its head; `None` if it may be answered.
    ///
    /// `421` for a browser that reaches this service by an unknown host name: with DNS rebinding, a
    /// page of another site has the same origin then. `403` for a request that may change something
    /// and comes from a page of another origin.
    pub fn refusal(&self, method: &Method, headers: &HeaderMap) -> Option<Problem> {
        let has_origin = headers.contains_key(ORIGIN);
        if !has_origin && !headers.contains_key(SEC_FETCH_SITE) {
            return None;
        }
        if only(headers, ORIGIN).is_some_and(|origin| self.lists(origin)) {
            return None;
        }
        let Some(host) = only(headers, HOST).filter(|host| self.knows(host)) else {
            return Some(Problem::new(
                Kind::UnknownHost,
                "browsers reach this service by an IP address, localhost or a host in ALLOWED_ORIGINS",
            ));
        };
        let is_own = match has_origin {
            true => only(headers, ORIGIN).is_some_and(|origin| self.is_own(origin, host)),
            false => only(headers, SEC_FETCH_SITE)
                .is_some_and(|site| matches!(site, "same-origin" | "none")),
        };
        if is_own || is_read(method) {
            return None;
        }
        let detail =
            "a page of another origin may change nothing; ALLOWED_ORIGINS lists those that may";
        Some(Problem::new(Kind::ForeignOrigin, detail))
    }

    fn is_own(&self, origin: &str, host: &str) -> bool {
        match self.is_secure {
            false => is_of(origin, host),
            true => origin
                .strip_prefix("https://")
                .is_some_and(|authority| authority.eq_ignore_ascii_case(host)),
        }
    }

    fn lists(&self, origin: &str) -> bool {
        let mut all = self.listed.iter().chain(&self.others);
        all.any(|listed| listed == origin)
    }

    fn knows(&self, host: &str) -> bool {
        let mut listed = self.listed.iter();
        is_of_this_machine(host)
            || listed.any(|listed| {
                listed
                    .split_once("://")
                    .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
            })
    }
}

/// `GET` and `HEAD`. A browser asks by `OPTIONS` whether it may send something else.
fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Whether a page of this origin was served under this `Host` of ours.
pub fn is_of(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("http://");
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

/// The value of a field that occurs exactly once.
pub fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name);
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether this `Host` is `localhost` or an IP address, with or without a port: no DNS server can give
/// it another meaning. The address that a service listens at is always one of these.
pub fn is_of_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}
