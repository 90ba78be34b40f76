//! What keeps others from a service: tokens and rights, TLS, limits, and which pages may call it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod limits;
mod other_sites;
mod rights;
mod site;
mod tls;
mod tls_client;
mod tokens;

/// What needs a browser.
mod in_browser {
    mod pages;
}
