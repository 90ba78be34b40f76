//! `GET /openapi.json` and `GET /docs`: every call of the service, for programs and for people.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use cache_core::settings::Dashboard;
use utoipa::openapi::schema::{Object, Type};

use crate::description::{Answer, Call, Document, PAGE, Tag};
use crate::html::{html, source};
use crate::json::JSON;
use crate::resource::{Right, Routes, get, resource};
use crate::state::State;

/// Where the document is.
pub(crate) const PATH: &str = "/openapi.json";
/// Where the page is that shows it.
pub(crate) const PAGE_PATH: &str = "/docs";

const PAGE_TEXT: &str = include_str!("documents/page.html");
const STYLE: &str = include_str!("documents/page.css");
const SCRIPT: &str = concat!(
    include_str!("documents/elements.js"),
    include_str!("auth/page.js"),
    include_str!("documents/schemas.js"),
    include_str!("documents/attempt.js"),
    include_str!("documents/page.js"),
);

/// Allows the page's own script and style alone, and requests to its own server only.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let [style, script] = [STYLE, SCRIPT].map(source);
    format!(
        "default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// Adds both.
pub(crate) fn configure(routes: &mut Routes) {
    resource(
        routes,
        PATH,
        "GET, HEAD",
        vec![get(Right::Anyone, show, show_call)],
    );
    resource(
        routes,
        PAGE_PATH,
        "GET, HEAD",
        vec![get(Right::Anyone, show_page, show_page_call)],
    );
}

fn show_call() -> Call {
    let answer = Answer::ok("The description of this service.");
    let document = Object::with_type(Type::Object);
    Call::new(Tag::About, "readDescription", "This document (OpenAPI 3.1)")
        .answers(answer.body("application/json", document, None))
        .refuses(PAGE)
}

fn show_page_call() -> Call {
    Call::new(Tag::About, "showDocuments", "A page of every call")
        .text("Works without any other server. Calls can be tried from it.")
        .answers(Answer::ok("The page.").text("text/html", None))
        .refuses(PAGE)
}

async fn show(document: Data<Document>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, JSON))
        .body(document.0.clone())
}

async fn show_page(state: Data<State>) -> HttpResponse {
    // Where the live page has no buttons that write, this one has no forms.
    let forms = match state.dashboard {
        Dashboard::On => "on",
        Dashboard::ReadOnly | Dashboard::Off => "off",
    };
    let page = PAGE_TEXT
        .replace("{{forms}}", forms)
        .replace("{{style}}", STYLE)
        .replace("{{script}}", SCRIPT);
    html(&POLICY, page)
}
