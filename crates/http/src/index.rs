//! `GET /`: what this is, and where to go on. JSON, or a page for a browser.

use std::fmt::Write as _;
use std::sync::LazyLock;

use actix_web::http::header::{HeaderValue, VARY};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cache_core::revision;
use cache_core::settings::{Dashboard, Service};
use serde::Serialize;
use utoipa::ToSchema;

use crate::accept::prefers;
use crate::description::{Answer, Call, Header, RequestHeader, Tag};
use crate::html::{html, source};
use crate::json::json;
use crate::resource::{Right, Routes, get, resource};
use crate::state::State;
use crate::{dashboard, documents};

const STYLE: &str = include_str!("index/index.css");

static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; style-src {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        source(STYLE)
    )
});

/// Adds it.
pub fn configure(routes: &mut Routes) {
    resource(
        routes,
        "/",
        "GET, HEAD",
        vec![get(Right::Anyone, show, show_call)],
    );
}

fn show_call() -> Call {
    let example = index(Service::WriteThrough, Dashboard::On);
    let answer = Answer::ok("The service, its pattern, and links.")
        .json(&example)
        .text("text/html", None)
        .header(Header::Vary);
    Call::new(Tag::About, "showIndex", "What this is, and where to go on")
        .heeds(RequestHeader::Accept)
        .answers(answer)
}

/// What the service is, and where to go on.
#[derive(Serialize, ToSchema)]
struct Index {
    /// The name of its binary.
    service: &'static str,
    /// Its version.
    version: &'static str,
    /// The commit that it was built from, where the build names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    revision: Option<&'static str>,
    /// When it answers a write.
    pattern: &'static str,
    /// Where to go on.
    links: Vec<Link>,
}

/// A call that a client may begin with.
#[derive(Serialize, ToSchema)]
struct Link {
    /// Its method.
    method: &'static str,
    /// Its path.
    href: &'static str,
    /// What it does.
    title: &'static str,
}

const fn link(method: &'static str, href: &'static str, title: &'static str) -> Link {
    Link {
        method,
        href,
        title,
    }
}

async fn show(state: Data<State>, request: HttpRequest) -> HttpResponse {
    let index = index(state.service, state.dashboard);
    let mut response = match prefers(request.headers(), "text/html") {
        true => html(&POLICY, page(&index)),
        false => json(HttpResponse::Ok(), &index),
    };
    let vary = HeaderValue::from_static("Accept");
    response.headers_mut().insert(VARY, vary);
    response
}

fn index(service: Service, shown: Dashboard) -> Index {
    let (pattern, own) = match service {
        Service::WriteThrough => (
            "A write is answered when the database has committed it and the cache holds it.",
            vec![
                link("POST", "/write-through", "Write a user"),
                link("POST", "/read-through", "Read a user"),
            ],
        ),
        Service::WriteBehind => (
            "A write is answered when the cache holds it and a durable journal has it; the database gets it afterwards.",
            vec![
                link("POST", "/write-behind", "Write a user"),
                link("POST", "/read-behind", "Read a user"),
                link("GET", "/journal", "What waits for the database"),
                link("GET", "/dead-letters", "What the database refused"),
            ],
        ),
    };
    let is_there = |link: &Link| link.href != dashboard::PATH || shown != Dashboard::Off;
    let shared = [
        link("GET", "/users", "Users in the database"),
        link("GET", dashboard::PATH, "What the service does, live"),
        link("GET", "/readyz", "State of each part"),
        link("GET", "/metrics", "Figures for Prometheus"),
        link("GET", documents::PAGE_PATH, "Every call"),
        link("GET", documents::PATH, "Every call, for programs (OpenAPI)"),
        link("GET", "/problems", "Types of errors"),
    ];
    Index {
        service: service.binary(),
        version: revision::VERSION,
        revision: revision::revision(),
        pattern,
        links: own.into_iter().chain(shared).filter(is_there).collect(),
    }
}

/// Nothing in it comes from a client or a setting, so nothing is escaped.
fn page(index: &Index) -> String {
    let mut list = String::new();
    for Link {
        method,
        href,
        title,
    } in &index.links
    {
        // Into memory: this cannot fail.
        let _ = match *method {
            "GET" => writeln!(list, "<li><a href=\"{href}\">{title}</a></li>"),
            _ => writeln!(list, "<li>{title}: <code>{method} {href}</code></li>"),
        };
    }
    let Index {
        service,
        version,
        pattern,
        ..
    } = index;
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{service}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<h1>{service} <small>{version}</small></h1>\n<p>{pattern}</p>\n<ul>\n{list}</ul>\n</body>\n</html>\n"
    )
}
