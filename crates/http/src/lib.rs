//! The HTTP parts that `write-through-svc` and `write-behind-svc` share: how a
//! request is read, how an answer and an error look, the routes that both have,
//! and the server under them.

mod access;
pub mod answers;
pub mod body;
pub mod cache;
pub mod cache_control;
mod connection;
pub mod dashboard;
pub mod description;
mod descriptors;
mod documents;
pub mod durability;
mod exchange;
mod expect;
pub mod figures;
pub mod health;
pub mod healthcheck;
mod html;
mod huge_pages;
mod in_flight;
pub mod index;
pub mod input;
pub mod json;
pub mod ndjson;
pub mod observe;
pub mod origins;
pub mod path;
pub mod precondition;
pub mod problem;
pub mod problems;
pub mod process;
pub mod query;
mod request_id;
pub mod resource;
mod retry_after;
pub mod scrape;
pub mod server;
mod start;
pub mod state;
pub mod streamed;
mod trace_context;
pub mod unknown;
mod unread;
pub mod users;
