//! What may happen in a run, drawn from its seed.

use std::time::Duration;

use cache_core::concurrency::group_commit::GroupCommitBounds;
use cache_core::engine::write_behind::WriteBehindSettings;
use cache_core::engine::write_behind::backlog::BacklogLimits;
use cache_core::engine::write_behind::drainer::DrainerSettings;
use fastrand::Rng;

/// Which kind of journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Journal and cache are one server, which processes share.
    Server,
    /// The journal is one process's own, beside a cache in its memory.
    Disk,
}

/// Of 1,000 calls.
pub(crate) type PerMille = u32;

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) shape: Shape,
    pub(crate) processes: usize,
    pub(crate) shards: u16,
    pub(crate) names: usize,
    pub(crate) clients: usize,
    pub(crate) steps: usize,
    pub(crate) events: usize,
    /// How often it is tried to remove old tombstones.
    pub(crate) purges: usize,
    /// How old those are.
    pub(crate) retention: Duration,
    pub(crate) store_fails: PerMille,
    pub(crate) store_is_late: PerMille,
    pub(crate) journal_fails: PerMille,
    pub(crate) journal_is_full: PerMille,
    pub(crate) slow: PerMille,
    pub(crate) crashes: PerMille,
    pub(crate) crashes_max: u32,
    /// Of 1,000 values.
    pub(crate) toxic: PerMille,
    pub(crate) is_lossy: bool,
    pub(crate) leases_are_wild: bool,
    pub(crate) clock_is_wild: bool,
    pub(crate) cache_forgets: bool,
    pub(crate) settings: WriteBehindSettings,
}

impl Plan {
    pub(crate) fn new(dice: &mut Rng) -> Plan {
        let shape = if dice.bool() {
            Shape::Server
        } else {
            Shape::Disk
        };
        let is_server = shape == Shape::Server;
        let mut sometimes = |most: PerMille| {
            if dice.bool() { dice.u32(1..=most) } else { 0 }
        };
        let (store_fails, store_is_late) = (sometimes(300), sometimes(150));
        let (journal_fails, journal_is_full) = (sometimes(120), sometimes(60));
        let (slow, crashes, toxic) = (sometimes(80), sometimes(25), sometimes(300));
        let shards = if is_server { dice.u16(1..=3) } else { 1 };
        let entries = if dice.u32(0..4) == 0 { 6 } else { 1_000_000 };
        let dead_letters = if dice.bool() {
            dice.u64(1..=3)
        } else {
            u64::MAX
        };
        Plan {
            shape,
            processes: if is_server { dice.usize(1..=3) } else { 1 },
            shards,
            names: dice.usize(1..=4),
            clients: dice.usize(1..=4),
            steps: dice.usize(4..=12),
            events: dice.usize(0..=8),
            purges: dice.usize(0..=40),
            retention: Duration::from_millis(dice.u64(1..300)),
            store_fails,
            store_is_late,
            journal_fails,
            journal_is_full,
            slow,
            crashes,
            crashes_max: 3,
            toxic,
            is_lossy: is_server && dice.u32(0..4) == 0,
            leases_are_wild: is_server && dice.u32(0..3) > 0,
            clock_is_wild: dice.bool(),
            cache_forgets: dice.u32(0..5) == 0,
            settings: WriteBehindSettings {
                group_commit: GroupCommitBounds {
                    batch_max: dice.usize(1..=8),
                    waiting_max: 64,
                },
                drainer: DrainerSettings {
                    batch_max: dice.usize(1..=12),
                    // Fewer would go in the order in which tokio wakes them.
                    parallel_max: shards.into(),
                    linger: Duration::from_millis(dice.u64(0..=1) * 50),
                    dead_letters_max: dead_letters,
                },
                limits: BacklogLimits {
                    entries,
                    bytes: 1_000_000_000,
                    age: Duration::from_secs(3_600),
                    dead_letters,
                },
            },
        }
    }
}
