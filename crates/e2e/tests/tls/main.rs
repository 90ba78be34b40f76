//! Both services by TLS: a Redis and a database server whose certificates are of a private CA.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod exchanged;
mod recovery;
mod refused_caches;
mod refused_databases;
mod served;
mod site;
