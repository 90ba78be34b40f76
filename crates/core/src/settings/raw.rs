//! Settings as file and environment have them.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::settings::{CacheUnavailable, Dashboard, JournalSync, LogFormat, SentinelTls};

/// Values as they come from file and environment.
#[derive(Debug, Deserialize)]
pub(super) struct Raw {
    pub(super) listen: SocketAddr,
    pub(super) allowed_origins: String,
    pub(super) dashboard: Dashboard,
    pub(super) auth_tokens_file: String,
    pub(super) cors_origins: String,
    pub(super) tls_cert_file: String,
    pub(super) tls_key_file: String,
    pub(super) rate_limit_per_s: u32,
    pub(super) rate_limit_burst: u32,
    pub(super) requests_max: usize,
    pub(super) database_url: String,
    pub(super) database_ca_file: String,
    pub(super) database_cert_file: String,
    pub(super) database_key_file: String,
    pub(super) cache_url: String,
    pub(super) cache_ca_file: String,
    pub(super) cache_cert_file: String,
    pub(super) cache_key_file: String,
    pub(super) sentinel_user: String,
    pub(super) sentinel_password: String,
    pub(super) sentinel_tls: SentinelTls,
    #[serde(default)]
    pub(super) journal_url: String,
    #[serde(default = "fsync")]
    pub(super) journal_sync: JournalSync,
    #[serde(default)]
    pub(super) journal_segment_bytes: u64,
    #[serde(default)]
    pub(super) journal_entries_max: u64,
    #[serde(default)]
    pub(super) journal_bytes_max: u64,
    #[serde(default)]
    pub(super) journal_age_max_s: u64,
    #[serde(default)]
    pub(super) dead_letters_max: u64,
    #[serde(default)]
    pub(super) drain_batch_max: usize,
    #[serde(default)]
    pub(super) drain_parallel_max: usize,
    #[serde(default)]
    pub(super) drain_linger_ms: u64,
    #[serde(default)]
    pub(super) lease_ms: u64,
    #[serde(default)]
    pub(super) redis_wait_replicas: u32,
    #[serde(default = "no")]
    pub(super) redis_wait_fsync: YesOrNo,
    #[serde(default)]
    pub(super) redis_wait_timeout_ms: u64,
    pub(super) batch_max: usize,
    pub(super) waiting_max: usize,
    pub(super) cache_ttl_s: u64,
    pub(super) cache_absent_ttl_s: u64,
    pub(super) cache_capacity_mb: u64,
    #[serde(default = "bypass")]
    pub(super) cache_unavailable: CacheUnavailable,
    #[serde(default)]
    pub(super) cache_lease_ms: u64,
    #[serde(default)]
    pub(super) commit_lanes: usize,
    pub(super) redis_timeout_ms: u64,
    pub(super) database_pool_max: usize,
    pub(super) database_timeout_ms: u64,
    pub(super) tombstone_retention_s: u64,
    pub(super) startup_deadline_s: u64,
    pub(super) shutdown_deadline_s: u64,
    pub(super) keep_alive_s: u64,
    pub(super) http_workers: usize,
    pub(super) log: String,
    pub(super) log_format: LogFormat,
}

fn bypass() -> CacheUnavailable {
    CacheUnavailable::Bypass
}

fn fsync() -> JournalSync {
    JournalSync::Fsync
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum YesOrNo {
    Yes,
    No,
}

fn no() -> YesOrNo {
    YesOrNo::No
}
