//! The record, its versions, and the cache, journal, store and engines that
//! `write-through-svc` and `write-behind-svc` share.
//!
//! Data flows one way: route → engine → journal / cache / store. The engines
//! know the traits [`cache::Cache`], [`journal::Journal`] and [`store::Store`]
//! and never a concrete server; [`parts`] picks those.

pub mod access;
pub mod admission;
mod apply;
mod attempts;
pub mod back_off;
pub mod backlog;
mod barrier;
pub mod binding;
mod breaker;
pub mod cache;
pub mod claim;
pub mod dataset;
pub mod dead_letter;
pub mod drainer;
pub mod engine;
pub mod error;
pub mod fault;
pub mod group_commit;
pub mod health;
mod held_path;
pub mod identity;
pub mod inspect;
pub mod journal;
pub mod lease;
mod lock_search;
mod locked_file;
pub mod membership;
pub mod outage;
mod own_thread;
pub mod parts;
pub mod purge;
pub mod read_through;
pub mod record;
pub mod redis;
pub mod release;
pub mod replayer;
pub mod revision;
pub mod seed;
pub mod seeder;
pub mod settings;
pub mod shard;
pub mod shutdown;
mod single_flight;
pub mod startup;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod user;
pub mod version;
pub mod worker;
pub mod write_behind;
pub mod write_through;
