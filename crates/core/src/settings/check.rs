//! What values the settings take.

use std::net::SocketAddr;

use crate::settings::raw::YesOrNo;
use crate::settings::table::Setting;
use crate::settings::{
    BadSetting, CacheUnavailable, Dashboard, JournalSync, LogFormat, SentinelTls, bad,
};

/// A shorter lease would be renewed all the time.
const LEASE_MIN_MS: u64 = 500;
/// The largest batch: it is in memory, and in one command, as a whole.
const BATCH_MAX: u64 = 100_000;
/// The largest number in a setting, and in one that counts bytes.
const NUMBER_MAX: u64 = 1_000_000_000;
const BYTES_MAX: u64 = 1_000_000_000_000;

/// What an address to listen on must be.
pub(super) const ADDRESS_WANTED: &str = "must be an address and a port, such as 127.0.0.1:8080";

/// Refuses a value that is none of its setting's.
///
/// # Errors
/// What it must be.
pub(super) fn check_type(setting: &Setting, merged: &config::Config) -> Result<(), BadSetting> {
    let key = setting.key.to_lowercase();
    let wanted = match setting.key {
        "LISTEN" if merged.get::<SocketAddr>(&key).is_err() => ADDRESS_WANTED,
        "JOURNAL_SYNC" if merged.get::<JournalSync>(&key).is_err() => "must be fsync or os",
        "LOG_FORMAT" if merged.get::<LogFormat>(&key).is_err() => "must be text or json",
        "REDIS_WAIT_FSYNC" if merged.get::<YesOrNo>(&key).is_err() => "must be yes or no",
        "SENTINEL_TLS" if merged.get::<SentinelTls>(&key).is_err() => "must be same, yes or no",
        "CACHE_UNAVAILABLE" if merged.get::<CacheUnavailable>(&key).is_err() => {
            "must be bypass or refuse"
        }
        "DASHBOARD" if merged.get::<Dashboard>(&key).is_err() => "must be on, read-only or off",
        "LISTEN"
        | "DASHBOARD"
        | "JOURNAL_SYNC"
        | "LOG_FORMAT"
        | "REDIS_WAIT_FSYNC"
        | "CACHE_UNAVAILABLE"
        | "SENTINEL_TLS"
        | "OTEL_TRACES_SAMPLER_ARG" => {
            return Ok(());
        }
        _ if setting.is_text() => match merged.get(&key) {
            Ok(config::Value {
                kind: config::ValueKind::String(_),
                ..
            }) => return Ok(()),
            _ => "must be a text",
        },
        _ => {
            let may_be_none = [
                "HTTP_WORKERS",
                "DRAIN_LINGER_MS",
                "REDIS_WAIT_REPLICAS",
                "COMMIT_LANES",
                "JOURNAL_BYTES_MAX",
                "TOMBSTONE_RETENTION_S",
                "RATE_LIMIT_PER_S",
                "RATE_LIMIT_BURST",
                "REQUESTS_MAX",
            ];
            let min = match setting.key {
                "LEASE_MS" | "CACHE_LEASE_MS" => LEASE_MIN_MS,
                key => u64::from(!may_be_none.contains(&key)),
            };
            let max = if ["BATCH_MAX", "DRAIN_BATCH_MAX"].contains(&setting.key) {
                BATCH_MAX
            } else if setting.key.contains("_BYTES") {
                BYTES_MAX
            } else {
                NUMBER_MAX
            };
            if whole_number(merged, &key).is_some_and(|number| (min..=max).contains(&number)) {
                return Ok(());
            }
            let reason = format!("must be a whole number from {min} to {max}");
            return Err(bad(setting.key, reason));
        }
    };
    Err(bad(setting.key, wanted))
}

/// A number as a number, or as digits in a text; unlike the config crate's own
/// conversions, not from true, yes, 1.6 or -0.
fn whole_number(merged: &config::Config, key: &str) -> Option<u64> {
    use config::ValueKind;
    match merged.get::<config::Value>(key).ok()?.kind {
        ValueKind::I64(number) => number.try_into().ok(),
        ValueKind::U64(number) => Some(number),
        ValueKind::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok()
        }
        _ => None,
    }
}

/// Whether a log filter says how much is logged in general. One that only names
/// a target, such as a misspelt level, would silence all the rest.
pub(super) fn has_level(filter: &str) -> bool {
    filter.split(',').any(|part| {
        part.trim()
            .parse::<tracing::level_filters::LevelFilter>()
            .is_ok()
    })
}
