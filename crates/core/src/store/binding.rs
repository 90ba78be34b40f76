//! The row of `cache_binding`, as `crate::binding` needs it. `sql/binding.rs` has the statements.

diesel::table! {
    cache_binding (id) {
        id -> Integer,
        token -> Text,
        previous -> Text,
        newest -> BigInt,
        served_by -> Text,
        shards -> Integer,
    }
}

/// Token, the one before, the newest version, the Redis, and the number of shards.
pub(super) type BindingRow = (String, String, i64, String, i32);
