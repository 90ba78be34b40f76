//! Settings: defaults, then a TOML file, then the environment.
//!
//! Unknown keys in the file and bad values anywhere are refused with the name
//! of the key. `settings/table.rs` is the one list of what there is; `--help` prints it.

mod check;
mod command_line;
mod origins;
mod places;
mod raw;
mod secret_file;
mod sentinel;
mod sources;
mod table;
mod tls;
mod traces;
mod urls;

pub use command_line::{
    Adopt, Command, ExportOptions, FileFormat, IdentityAction, ImportOptions, InspectOptions,
    JournalAction, MigrateOptions, TokenOptions,
};
pub(crate) use secret_file::content as file_content;
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
use raw::{Raw, YesOrNo};
use sentinel::SentinelTls;
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
pub enum CacheUnavailable {
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
    /// Origins of pages of other sites that may call the service and read its answers.
    pub cors_origins: Vec<String>,
    /// The certificate and the private key to speak TLS with; without them plain HTTP.
    pub tls_files: Option<(PathBuf, PathBuf)>,
    /// Requests a second of each client; 0 = no limit.
    pub rate_limit_per_s: u32,
    /// How many of those may come at once; 0 = those of a second.
    pub rate_limit_burst: u32,
    /// Most requests in flight; 0 = no limit.
    pub requests_max: usize,
    /// The file with the tokens of clients; without it no client needs one.
    pub auth_tokens_file: Option<PathBuf>,
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
    pub cache_unavailable: CacheUnavailable,
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
    let version = revision::in_words(version, revision::revision());
    let parser = parser(service, version, about.to_owned());
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
        Some(Action::Token(options)) => Command::Token(options),
        Some(Action::Healthcheck { ready }) => {
            let (listen, speaks_tls) = sources::listen(service, file, &environment)?;
            Command::Healthcheck {
                listen,
                speaks_tls,
                ready,
            }
        }
        Some(Action::Import(options)) => Command::Import(options, settings()?),
        Some(Action::Export(options)) => Command::Export(options, settings()?),
    })
}

/// The command line of the service, which `--help`, the manual page and completions are made of.
fn parser(service: Service, version: String, about: String) -> clap::Command {
    Arguments::command()
        .name(service.binary())
        .version(version)
        .about(about)
        .after_help(help(service))
        .mut_subcommand("journal", |journal| {
            journal.hide(service == Service::WriteThrough)
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
    let cors_origins =
        origins::parse(&raw.cors_origins).map_err(|reason| bad("CORS_ORIGINS", reason))?;
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
        auth_tokens_file: path(raw.auth_tokens_file),
        cors_origins,
        tls_files: tls::of_service(&raw.tls_cert_file, &raw.tls_key_file)?,
        rate_limit_per_s: raw.rate_limit_per_s,
        rate_limit_burst: raw.rate_limit_burst,
        requests_max: raw.requests_max,
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
        cache_unavailable: raw.cache_unavailable,
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

/// `None` where none is given.
fn path(text: String) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

#[cfg(test)]
mod tests;
