//! The store's connections to MySQL and MariaDB: the state of their sessions, what happens
//! when they end, and how many the server admits. On real servers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod forgotten_claim;
mod hostile;
mod inherited;
mod limits;
mod lost;
mod records;
mod refused;
mod site;
