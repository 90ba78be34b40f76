//! The processes that use the cache, and their epoch, as rows. `sql/members.rs` has the statements.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use crate::model::epoch::Epoch;

diesel::table! {
    cache_epoch (id) {
        id -> Integer,
        epoch -> BigInt,
        bypassed -> Integer,
        run -> Text,
        purged_through -> BigInt,
        reserved_through -> Nullable<BigInt>,
    }
}

diesel::table! {
    cache_members (process) {
        process -> Text,
        trusts -> Integer,
        cut_off -> Integer,
        for_good -> Integer,
        lease_ms -> BigInt,
        beats -> BigInt,
    }
}

/// The row of `cache_epoch`.
#[derive(Debug, QueryableByName)]
pub(super) struct EpochRow {
    #[diesel(sql_type = BigInt)]
    pub(super) epoch: i64,
    #[diesel(sql_type = Integer)]
    pub(super) bypassed: i32,
    #[diesel(sql_type = Text)]
    pub(super) run: String,
    /// Tombstones of versions up to this one may have been removed.
    #[diesel(sql_type = BigInt)]
    pub(super) purged_through: i64,
    /// The ceiling.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(super) reserved_through: Option<i64>,
}

impl EpochRow {
    pub(super) fn number(&self) -> Epoch {
        Epoch::new(u64::try_from(self.epoch).unwrap_or_default())
    }
}

/// The columns of `cache_members`, in their order.
pub(super) type MemberRow = (String, i32, i32, i32, i64, i64);
