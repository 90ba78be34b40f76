//! The store's connections to MySQL and MariaDB: the state of their sessions. On real servers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod hostile;
mod inherited;
mod records;
mod refused;
mod site;
