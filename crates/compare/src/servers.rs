//! The servers of a comparison that does not run on embedded parts, each by its driver: what is
//! made and removed there, counted there, and read from there.

pub mod mysql;
pub mod redis;
