//! What `write-through-svc` and `write-behind-svc` share: everything below the routes.
//!
//! Data flows one way: route → engine → cache, journal and store. The engines know the traits
//! [`cache::Cache`], [`journal::Journal`] and [`store::Store`], never a concrete server.
//! [`parts`] chooses those.

pub mod binding;
pub mod bypass;
pub mod cache;
pub mod commands;
pub mod concurrency;
pub mod engine;
pub mod error;
mod inspect;
pub mod journal;
pub mod lease;
pub mod model;
pub mod outage;
pub mod ownership;
pub mod parts;
pub mod process;
pub mod redis;
pub mod revision;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod timing;
pub mod tls;
pub mod watched;
