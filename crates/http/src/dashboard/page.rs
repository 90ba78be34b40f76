//! The page: one file, with everything in it.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use serde::Serialize;

use crate::html::source;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = concat!(
    include_str!("page/state.js"),
    include_str!("page/elements.js"),
    include_str!("../auth/page.js"),
    include_str!("page/charts.js"),
    include_str!("page/parts.js"),
    include_str!("page/services.js"),
    include_str!("page/events.js"),
);

/// What a page shows.
#[derive(Clone, Debug, Serialize)]
pub struct PageConfig {
    /// What it is called.
    pub title: String,
    /// Whom it shows, side by side.
    pub services: Vec<WatchedService>,
    /// Where its events come from, see [`super::Event`].
    pub events_url: String,
    /// Where `{"paused": true}` and `{"paused": false}` are sent by `POST`; without it there is no button
    /// for that.
    pub database_url: Option<String>,
    /// The same of Redis.
    pub redis_url: Option<String>,
}

/// A service that a page shows.
#[derive(Clone, Debug, Serialize)]
pub struct WatchedService {
    /// `write-through` or `write-behind`, which have their colours; the events name it so.
    pub name: String,
    /// Where the page's buttons send a record by `POST`; without it there are no buttons.
    pub write_url: Option<String>,
    /// Where `{"killed": true}` and `{"killed": false}` are sent by `POST`; without it there is no button
    /// for that.
    pub kill_url: Option<String>,
}

/// The answer with the page. Its Content-Security-Policy allows the page's own script and style alone, by
/// their hashes, and requests to its own server only.
pub fn page(config: &PageConfig) -> HttpResponse {
    crate::html::html(&POLICY, html(config))
}

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let [style, script] = [STYLE, SCRIPT].map(source);
    format!(
        "default-src 'none'; style-src {style}; script-src {script}; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

pub(super) fn html(config: &PageConfig) -> String {
    // Texts into memory: this cannot fail. Without `<`, nothing in it ends the element that it is in.
    let json = serde_json::to_string(config).unwrap_or_default();
    let json = json.replace('<', "\\u003c");
    let title = escaped(&config.title);
    PAGE.replace("{{style}}", STYLE)
        .replace("{{script}}", SCRIPT)
        .replace("{{title}}", &title)
        .replace("{{config}}", &json)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
