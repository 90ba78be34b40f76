//! What the tests of this workspace share: private servers, the services as processes, an HTTP client,
//! a browser and difficult records.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test support function that fails ends the test, and says why"
)]

pub mod browser;
pub mod certificates;
pub mod generated_page;
pub mod http;
pub mod own_servers;
pub mod parts;
pub mod proxy;
pub mod records;
pub mod redis_connection;
pub mod servers;
pub mod service;
pub mod small_disk;
pub mod wait;
pub mod wire;
