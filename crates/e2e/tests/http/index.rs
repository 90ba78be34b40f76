//! `GET /`: what the service is, for a program and for a browser.

use crate::combination::Turn;

checks!(index:
    a_program_is_told_what_this_is,
    a_browser_is_given_a_page,
);

const BROWSER: (&str, &str) = (
    "Accept",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
);

pub(crate) fn a_program_is_told_what_this_is(turn: &Turn) {
    let api = turn.shared();
    let answer = api.client().get("/");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    assert_eq!(answer.header("Vary"), Some("Accept"));
    let index = answer.json();
    assert_eq!(index["service"], turn.service().name());
    assert_eq!(index["version"], env!("CARGO_PKG_VERSION"));
    assert!(index["pattern"].as_str().unwrap().contains("database"));
    let links = index["links"].as_array().unwrap();
    assert!(links.len() >= 7, "{index}");
    for link in links {
        let text = |key: &str| link[key].as_str().unwrap();
        assert!(!text("title").is_empty());
        let status = if text("method") == "GET" { 200 } else { 405 };
        let answer = api.client().get(text("href"));
        assert_eq!(answer.status, status, "{link}");
        let allow = api.wire("OPTIONS", text("href"), &[], None);
        let allow = allow.header("Allow").unwrap().to_owned();
        assert!(allow.contains(text("method")), "{link}");
    }
}

pub(crate) fn a_browser_is_given_a_page(turn: &Turn) {
    let api = turn.shared();
    let answer = api.wire("GET", "/", &[BROWSER], None);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(answer.header("Vary"), Some("Accept"));
    assert_eq!(answer.header("Cache-Control"), Some("private, no-cache"));
    assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
    let policy = answer.header("Content-Security-Policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
    let page = answer.text();
    assert!(page.starts_with("<!doctype html>"), "{page}");
    let index = api.client().get("/").json();
    for link in index["links"].as_array().unwrap() {
        assert!(page.contains(link["href"].as_str().unwrap()), "{link}");
    }
    assert!(page.contains(turn.service().name()) && !page.contains("<script"));
    let head = api.wire("HEAD", "/", &[BROWSER], None);
    assert_eq!(head.header("Content-Type"), answer.header("Content-Type"));
    assert!(head.body.is_empty());
}
