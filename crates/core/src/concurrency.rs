//! How concurrent calls share work, and which threads do it.

pub mod group_commit;
pub mod own_thread;
pub mod shared_attempt;
pub mod single_flight;
pub mod worker;
