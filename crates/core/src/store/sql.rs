//! The SQL that MySQL, MariaDB and SQLite have in common, as plain functions.
//!
//! This file is compiled twice: as a module of `mysql.rs` and as one of `sqlite.rs`, each for
//! its own `Connection`. The text of a query is the same for both, diesel's types of it are
//! not; a function that is generic over the connection would need a bound for the type of
//! every part of every query in it. What differs comes from the module around this one, by
//! the first line below.

#![allow(clippy::duplicate_mod, reason = "compiled for each connection")]

use super::{BEGIN, Connection, EXCLUSIVE, SHARED, diagnosed, held};
use held::{hold, hold_free, oldest_tombstones, release, remove};

#[path = "sql/apply.rs"]
mod apply;
#[path = "sql/binding.rs"]
pub(super) mod binding;
#[path = "sql/ceiling.rs"]
pub(super) mod ceiling;
#[path = "sql/members.rs"]
mod members;
#[path = "sql/queries.rs"]
mod queries;
#[path = "sql/tombstones.rs"]
mod tombstones;
#[path = "sql/transact.rs"]
mod transact;
#[path = "sql/transactions.rs"]
pub(super) mod transactions;

pub(super) use apply::apply;
pub(super) use ceiling::{begin_ceiling, newest_after};
pub(super) use members::{hear, leave, rely};
pub(super) use queries::{identify, load, load_many, newest_version, page};
pub(super) use tombstones::{purge, purged_through};
pub(super) use transact::transact;
