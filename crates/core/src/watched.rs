//! Backends whose calls are noted, so that an outage is known and failed calls are refused at once.

mod cache;
mod dead_letters;
mod journal;
mod store;

pub use cache::WatchedCache;
pub use journal::WatchedJournal;
pub use store::WatchedStore;
