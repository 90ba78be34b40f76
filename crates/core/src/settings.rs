//! Settings: defaults, then a TOML file, then the environment.
//!
//! Unknown keys in the file and bad values anywhere are refused with the name
//! of the key. `settings/table.rs` is the one list of what there is; `--help` prints it.

mod check;
mod command_line;
mod origins;
mod places;
mod secret_file;
mod sentinel;
mod sources;
mod table;
mod tls;
mod traces;
mod urls;

pub use command_line::{
    Adopt, Command, IdentityAction, InspectOptions, JournalAction, MigrateOptions,
};
pub use sentinel::{SentinelAccess, SentinelUrl};
pub use traces::{TraceHeaders, TraceSettings};
pub use urls::{Address, CacheUrl, DatabaseUrl, JournalUrl, RedisAddress, Secret};

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};
use serde::Deserialize;
use tokio::time::Instant;

use check::{check_type, has_level};
use command_line::{Action, Arguments};
use table::{TABLE, help};

use crate::revision;
use crate::tls::Tls;

/// The exit code for bad settings: `EX_USAGE` of sysexits(3).
pub const EXIT_BAD_SETTINGS: u8 = 64;

/// Which service the settings are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// `write-through-svc`.
    WriteThrough,
    /// `write-behind-svc`.
    WriteBehind,
}

impl Service {
    /// `write-through` or `write-behind`: its data folder, its label, its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Service::WriteThrough => "write-through",
            Service::WriteBehind => "write-behind",
        }
    }

    /// The name of its binary.
    pub fn binary(self) -> &'static str {
        match self {
            Service::WriteThrough => "write-through-svc",
            Service::WriteBehind => "write-behind-svc",
        }
    }

    /// Where it listens unless it is told otherwise.
    pub fn default_listen(self) -> &'static str {
        match self {
            Service::WriteThrough => "127.0.0.1:8080",
            Service::WriteBehind => "127.0.0.1:8081",
        }
    }
}

/// What the log shows.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// A `tracing` filter.
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What an entry of the file journal survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalSync {
    /// A crash of the process: the operating system has it.
    Os,
    /// A power loss: the disk has it.
    Fsync,
}

/// What write-through does while its cache is unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheAway {
    /// Goes on against the database alone.
    Bypass,
    /// Answers that it is unavailable.
    Refuse,
}

/// What the dashboard may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dashboard {
    /// It shows figures, and its buttons write.
    On,
    /// It shows figures.
    ReadOnly,
    /// There is none.
    Off,
}

/// All settings of a service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which service.
    pub service: Service,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Origins of other pages that may write, as browsers write them: `https://users.example`.
    pub allowed_origins: Vec<String>,
    /// The page with live figures.
    pub dashboard: Dashboard,
    /// The database.
    pub database: DatabaseUrl,
    /// CAs and client certificate for it, besides what the URL says.
    pub database_tls: Tls,
    /// The cache.
    pub cache: CacheUrl,
    /// CAs and client certificate for it, where the URL says `rediss`.
    pub cache_tls: Tls,
    /// How to log in at the Sentinels that `cache` names, if it names some.
    pub sentinels: SentinelAccess,
    /// The journal (write-behind).
    pub journal: JournalUrl,
    /// What an entry of the file journal survives.
    pub journal_sync: JournalSync,
    /// Size at which the file journal begins a new segment.
    pub journal_segment_bytes: u64,
    /// Most entries that wait in the journal.
    pub journal_entries_max: u64,
    /// Most bytes that they take.
    pub journal_bytes_max: u64,
    /// How old the oldest may become.
    pub journal_age_max: Duration,
    /// Most dead letters.
    pub dead_letters_max: u64,
    /// Most entries in a drained batch.
    pub drain_batch_max: usize,
    /// Most shards drained at once.
    pub drain_parallel_max: usize,
    /// How long a batch that is not full waits for more.
    pub drain_linger: Duration,
    /// How long a lease on a shard holds without being renewed.
    pub lease: Duration,
    /// Replicas of Redis that must have a write.
    pub redis_wait_replicas: u32,
    /// Whether the disk of Redis must have it.
    pub redis_wait_fsync: bool,
    /// How long to wait for both.
    pub redis_wait_timeout: Duration,
    /// Most writes in a group commit.
    pub batch_max: usize,
    /// Most writes waiting for a group commit.
    pub waiting_max: usize,
    /// Lifetime of clean records in the cache.
    pub cache_ttl: Duration,
    /// Lifetime of the knowledge that a name is absent.
    pub cache_absent_ttl: Duration,
    /// Bound of the memory cache.
    pub cache_capacity_bytes: u64,
    /// What to do while the cache is unavailable (write-through).
    pub cache_away: CacheAway,
    /// How long the cache is trusted while the database is unavailable (write-through).
    pub cache_lease: Duration,
    /// Most group commits in the database; 0 = as the database likes it (write-through).
    pub commit_lanes: usize,
    /// After what time without an answer Redis counts as unavailable.
    pub redis_timeout: Duration,
    /// Most database connections.
    pub database_pool_max: usize,
    /// After what time without an answer the database counts as unavailable.
    pub database_timeout: Duration,
    /// How long the tombstone of a deleted user stays; for ever if `None`.
    pub tombstone_retention: Option<Duration>,
    /// How long to wait for the parts at start.
    pub startup_deadline: Duration,
    /// How long to finish and drain at the end.
    pub shutdown_deadline: Duration,
    /// How long a client's connection is kept without a request.
    pub keep_alive: Duration,
    /// Threads that serve HTTP.
    pub http_workers: usize,
    /// The log.
    pub log: LogSettings,
    /// Traces.
    pub traces: TraceSettings,
}

impl Settings {
    /// When a start that begins now has to have come to an end.
    pub fn startup_by(&self) -> Instant {
        Instant::now() + self.startup_deadline
    }
}

/// Values as they come from file and environment.
#[derive(Debug, Deserialize)]
struct Raw {
    listen: SocketAddr,
    allowed_origins: String,
    dashboard: Dashboard,
    database_url: String,
    database_ca_file: String,
    database_cert_file: String,
    database_key_file: String,
    cache_url: String,
    cache_ca_file: String,
    cache_cert_file: String,
    cache_key_file: String,
    sentinel_user: String,
    sentinel_password: String,
    sentinel_tls: SentinelTls,
    #[serde(default)]
    journal_url: String,
    #[serde(default = "fsync")]
    journal_sync: JournalSync,
    #[serde(default)]
    journal_segment_bytes: u64,
    #[serde(default)]
    journal_entries_max: u64,
    #[serde(default)]
    journal_bytes_max: u64,
    #[serde(default)]
    journal_age_max_s: u64,
    #[serde(default)]
    dead_letters_max: u64,
    #[serde(default)]
    drain_batch_max: usize,
    #[serde(default)]
    drain_parallel_max: usize,
    #[serde(default)]
    drain_linger_ms: u64,
    #[serde(default)]
    lease_ms: u64,
    #[serde(default)]
    redis_wait_replicas: u32,
    #[serde(default = "no")]
    redis_wait_fsync: YesOrNo,
    #[serde(default)]
    redis_wait_timeout_ms: u64,
    batch_max: usize,
    waiting_max: usize,
    cache_ttl_s: u64,
    cache_absent_ttl_s: u64,
    cache_capacity_mb: u64,
    #[serde(default = "bypass")]
    cache_away: CacheAway,
    #[serde(default)]
    cache_lease_ms: u64,
    #[serde(default)]
    commit_lanes: usize,
    redis_timeout_ms: u64,
    database_pool_max: usize,
    database_timeout_ms: u64,
    tombstone_retention_s: u64,
    startup_deadline_s: u64,
    shutdown_deadline_s: u64,
    keep_alive_s: u64,
    http_workers: usize,
    log: String,
    log_format: LogFormat,
}

fn bypass() -> CacheAway {
    CacheAway::Bypass
}

fn fsync() -> JournalSync {
    JournalSync::Fsync
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum YesOrNo {
    Yes,
    No,
}

/// Whether Sentinels are reached by TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SentinelTls {
    Same,
    Yes,
    No,
}

fn no() -> YesOrNo {
    YesOrNo::No
}

/// Why settings are refused; names the key.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct BadSetting {
    /// The key as the user wrote it, or the file's path.
    pub key: String,
    /// What is wrong with it. Never repeats a value that may hold a password.
    pub reason: String,
}

fn bad(key: &str, reason: impl ToString) -> BadSetting {
    BadSetting {
        key: key.to_owned(),
        reason: reason.to_string(),
    }
}

/// Reads the command line, the file that it names, and the environment.
///
/// `version` and `about` are the binary's, for `--version` and `--help`.
///
/// # Errors
/// The first setting that is unknown or has a bad value.
pub fn from_process(
    service: Service,
    version: &'static str,
    about: &'static str,
) -> Result<Command, BadSetting> {
    let environment =
        |key: &str| std::env::var_os(key).map(|value| value.to_string_lossy().into_owned());
    read(service, version, about, std::env::args_os(), environment)
}

/// As [`from_process`], with the arguments and the environment given.
///
/// # Errors
/// The first setting that is unknown or has a bad value.
pub fn read(
    service: Service,
    version: &'static str,
    about: &'static str,
    arguments: impl IntoIterator<Item = std::ffi::OsString>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Command, BadSetting> {
    let parser = Arguments::command()
        .name(service.binary())
        .version(revision::in_words(version, revision::revision()))
        .about(about)
        .after_help(help(service))
        .mut_subcommand("journal", |journal| {
            journal.hide(service == Service::WriteThrough)
        });
    let arguments = match parser
        .try_get_matches_from(arguments)
        .and_then(|found| Arguments::from_arg_matches(&found))
    {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() {
                EXIT_BAD_SETTINGS
            } else {
                0
            };
            return Ok(Command::Print(error.render().to_string(), code));
        }
    };
    let from_environment = || environment("CONFIG_FILE").filter(|path| !path.is_empty());
    let file = arguments
        .config
        .or_else(|| from_environment().map(PathBuf::from));
    let file = file.as_deref();
    let settings = || load(service, file, &environment).map(Box::new);
    Ok(match arguments.action {
        None => Command::Serve(settings()?),
        Some(Action::Migrate(options)) => Command::Migrate(settings()?, options),
        Some(Action::Identity { action }) => Command::Identity(action, settings()?),
        Some(Action::Journal { action }) => Command::Journal(action, settings()?),
        Some(Action::Release) => Command::Release(settings()?),
        Some(Action::Inspect(options)) => Command::Inspect(options, settings()?),
        Some(Action::Healthcheck { ready }) => Command::Healthcheck {
            listen: sources::listen(service, file, &environment)?,
            ready,
        },
    })
}

fn load(
    service: Service,
    file: Option<&Path>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Settings, BadSetting> {
    let (merged, places) = sources::merge(service, file, environment)?;
    typed(service, merged).map_err(|refused| places.locate(refused))
}

fn typed(service: Service, merged: config::Config) -> Result<Settings, BadSetting> {
    // Each one by itself first, so that the message can name it; a value is not
    // repeated, since any may hold a password by mistake.
    for setting in TABLE.iter().filter(|setting| setting.is_for(service)) {
        check_type(setting, &merged)?;
    }
    let traces = traces::read(&merged)?;
    let raw = merged
        .try_deserialize::<Raw>()
        .map_err(|error| bad("settings", error))?;
    finish(service, raw, traces)
}

fn finish(service: Service, raw: Raw, traces: TraceSettings) -> Result<Settings, BadSetting> {
    let database =
        DatabaseUrl::parse(&raw.database_url).map_err(|reason| bad("DATABASE_URL", reason))?;
    let cache = CacheUrl::parse(&raw.cache_url).map_err(|reason| bad("CACHE_URL", reason))?;
    if let Some(option) = cache.unknown_option() {
        let reason = format!("has the unknown option {option}: leave it out");
        return Err(bad("CACHE_URL", reason));
    }
    let database_tls = tls::of_database(
        &tls::Paths {
            ca: &raw.database_ca_file,
            certificate: &raw.database_cert_file,
            key: &raw.database_key_file,
        },
        &database,
    )?;
    let cache_tls = tls::of_cache(
        &tls::Paths {
            ca: &raw.cache_ca_file,
            certificate: &raw.cache_cert_file,
            key: &raw.cache_key_file,
        },
        &cache,
        raw.sentinel_tls == SentinelTls::Yes,
    )?;
    let sentinels = sentinel::access(
        &cache,
        raw.sentinel_user,
        raw.sentinel_password,
        raw.sentinel_tls,
    )?;
    let journal =
        JournalUrl::parse(&raw.journal_url, &cache).map_err(|reason| bad("JOURNAL_URL", reason))?;
    let allowed_origins =
        origins::parse(&raw.allowed_origins).map_err(|reason| bad("ALLOWED_ORIGINS", reason))?;
    if tracing_subscriber::EnvFilter::try_new(&raw.log).is_err() || !has_level(&raw.log) {
        let reason =
            "must be error, warn, info, debug or trace, or a tracing filter with one of them";
        return Err(bad("LOG", reason));
    }
    Ok(Settings {
        service,
        listen: raw.listen,
        allowed_origins,
        dashboard: raw.dashboard,
        database,
        database_tls,
        sentinels,
        cache,
        cache_tls,
        journal_bytes_max: journal.bytes_max(raw.journal_bytes_max),
        journal,
        journal_sync: raw.journal_sync,
        journal_segment_bytes: raw.journal_segment_bytes,
        journal_entries_max: raw.journal_entries_max,
        journal_age_max: Duration::from_secs(raw.journal_age_max_s),
        dead_letters_max: raw.dead_letters_max,
        drain_batch_max: raw.drain_batch_max,
        drain_parallel_max: raw.drain_parallel_max,
        drain_linger: Duration::from_millis(raw.drain_linger_ms),
        lease: Duration::from_millis(raw.lease_ms),
        redis_wait_replicas: raw.redis_wait_replicas,
        redis_wait_fsync: raw.redis_wait_fsync == YesOrNo::Yes,
        redis_wait_timeout: Duration::from_millis(raw.redis_wait_timeout_ms),
        batch_max: raw.batch_max,
        waiting_max: raw.waiting_max,
        cache_ttl: Duration::from_secs(raw.cache_ttl_s),
        cache_absent_ttl: Duration::from_secs(raw.cache_absent_ttl_s),
        cache_capacity_bytes: raw.cache_capacity_mb.saturating_mul(1 << 20),
        cache_away: raw.cache_away,
        cache_lease: Duration::from_millis(raw.cache_lease_ms),
        commit_lanes: raw.commit_lanes,
        redis_timeout: Duration::from_millis(raw.redis_timeout_ms),
        database_pool_max: raw.database_pool_max,
        database_timeout: Duration::from_millis(raw.database_timeout_ms),
        tombstone_retention: (raw.tombstone_retention_s > 0)
            .then(|| Duration::from_secs(raw.tombstone_retention_s)),
        startup_deadline: Duration::from_secs(raw.startup_deadline_s),
        shutdown_deadline: Duration::from_secs(raw.shutdown_deadline_s),
        keep_alive: Duration::from_secs(raw.keep_alive_s),
        http_workers: raw.http_workers,
        log: LogSettings {
            filter: raw.log,
            format: raw.log_format,
        },
        traces,
    })
}

#[cfg(test)]
mod tests;
