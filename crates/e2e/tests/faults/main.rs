//! Faults: what write-behind-svc has acknowledged is kept, and nothing older is read, whatever happens to
//! the service, its servers and the network between them. (What write-through-svc acknowledges is held to
//! its history, in `tests/histories`.)
//!
//! Each test lets a [`workload`] write and read, breaks something, mends it, and then holds the API, the
//! cache and the database to the [`ledger`] of what was acknowledged. All is chosen from one number, which
//! a failing test prints: `FAULT_SEED=… scripts/test -p e2e --test faults NAME` chooses the same
//! again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod cached;
mod comparison;
mod endpoints;
mod ledger;
mod readers;
mod seed;
mod stored;
mod workload;
mod writers;

mod alone;
mod backlog;
mod client_resets;
mod crashes;
mod cut_off_database;
mod database;
mod database_sessions;
mod eviction;
mod fault_points;
mod full;
mod full_disk;
mod journal_damage;
mod journal_files;
mod late_reader;
mod network;
mod open_files;
mod poison;
mod purged;
mod read_only;
mod redis;
mod redis_alone;
mod refused_many;
mod removed_files;
mod replicas;
mod slow_database;
mod stops;
mod storms;
mod switch_over;
