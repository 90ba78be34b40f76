//! Values: users, their records and versions, and what counts them. They know nothing of servers.

pub mod dataset;
pub mod dead_letter;
pub mod decision;
pub mod epoch;
pub mod record;
pub mod shard;
pub mod source;
pub mod stored_versions;
pub mod trace_context;
pub mod user;
pub mod version;
