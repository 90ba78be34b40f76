//! A Redis that has restarted, or has come back with older data: `docs/design/redis-restarts.md`.
//!
//! Each run of a server has keys of its own, so nothing that an earlier run cached is ever read. A shard
//! issues no version before its `clock` is set. [`recovery`] first caches each acknowledged write that the
//! database does not have yet; then the clock is set. [`intact`] does so without asking the database,
//! where the server lost nothing.
//!
//! A server that goes back in time within one run is found by [`witness`], [`issued`] and [`clock_watch`],
//! and what it has cached is forgotten by [`returned`].

mod clock;
mod clock_watch;
mod intact;
mod issued;
mod recovery;
mod returned;
mod witness;

pub(crate) use issued::Issued;
pub(super) use witness::Witness;
