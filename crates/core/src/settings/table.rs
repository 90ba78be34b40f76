//! The list of all settings.

use std::fmt::Write as _;

use crate::settings::{Service, secret_file};

/// One setting. `{service}` in the default stands for [`Service::name`].
pub(super) struct Setting {
    pub(super) key: &'static str,
    default: &'static str,
    only: Option<Service>,
    help: &'static str,
    /// Whether the value may be in a file of its own, since it may hold a password.
    pub(super) is_secret: bool,
}

const fn setting(key: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting {
        key,
        default,
        only: None,
        help,
        is_secret: false,
    }
}

const fn write_behind(key: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting {
        key,
        default,
        only: Some(Service::WriteBehind),
        help,
        is_secret: false,
    }
}

const fn write_through(key: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting {
        key,
        default,
        only: Some(Service::WriteThrough),
        help,
        is_secret: false,
    }
}

const fn secret(setting: Setting) -> Setting {
    Setting {
        is_secret: true,
        ..setting
    }
}

/// Every setting, by the name that it has in the environment; in the TOML file
/// the same name in lower case.
pub(super) const TABLE: &[Setting] = &[
    setting(
        "LISTEN",
        "",
        "address and port to listen on; port 0 takes a free one [127.0.0.1:8080 write-through, 127.0.0.1:8081 write-behind]",
    ),
    setting(
        "ALLOWED_ORIGINS",
        "",
        "public origins of this service behind a proxy that ends TLS or changes Host, separated by commas, such as https://users.example; their hosts are hosts of this service",
    ),
    setting(
        "DASHBOARD",
        "on",
        "the page at /dashboard: on = with buttons that send writes, read-only = without them, off = no page",
    ),
    setting(
        "AUTH_TOKENS_FILE",
        "",
        "file with the tokens of clients, one a line, read again when it changes: then every call but a few needs one; the subcommand token makes them",
    ),
    setting(
        "TLS_CERT_FILE",
        "",
        "PEM file, read again when it changes: speak TLS with this certificate and its chain; together with TLS_KEY_FILE",
    ),
    setting(
        "TLS_KEY_FILE",
        "",
        "PEM file, read again when it changes: its private key",
    ),
    setting(
        "CORS_ORIGINS",
        "",
        "origins of other sites, separated by commas, whose pages may call this service and read its answers; none = CORS is off",
    ),
    setting(
        "RATE_LIMIT_PER_S",
        "0",
        "requests a second of each client, by the name of its token or else by its address; more are answered 429; 0 = no limit",
    ),
    setting(
        "RATE_LIMIT_BURST",
        "0",
        "how many of those may come at once; 0 = those of one second",
    ),
    setting(
        "REQUESTS_MAX",
        "0",
        "most requests in flight; more are answered 503; 0 = no limit but that of connections",
    ),
    secret(setting(
        "DATABASE_URL",
        "sqlite://data/{service}/users.db",
        "sqlite://PATH, or mysql://USER:PASSWORD@HOST:PORT/DATABASE for MySQL and MariaDB; with ?require_ssl=true by TLS, which &verify_ca=false&verify_identity=false leaves unchecked",
    )),
    setting(
        "DATABASE_CA_FILE",
        "",
        "PEM file, read again when it changes: MySQL or MariaDB by TLS, and with a certificate of these CAs only",
    ),
    setting(
        "DATABASE_CERT_FILE",
        "",
        "PEM file, read again when it changes: the client certificate to show there; together with DATABASE_KEY_FILE",
    ),
    setting(
        "DATABASE_KEY_FILE",
        "",
        "PEM file, read again when it changes: its private key, which must be an RSA key",
    ),
    secret(setting(
        "CACHE_URL",
        "memory:",
        "memory: for this process's memory, redis://USER:PASSWORD@HOST:PORT/DB, or redis+sentinel://USER:PASSWORD@HOST,HOST,HOST/PRIMARY/DB for the primary that these Sentinels name; rediss for TLS",
    )),
    setting(
        "CACHE_CA_FILE",
        "",
        "PEM file, read again when it changes: rediss:// with a certificate of these CAs only, instead of the system's",
    ),
    setting(
        "CACHE_CERT_FILE",
        "",
        "PEM file, read again when it changes: the client certificate to show there; together with CACHE_KEY_FILE",
    ),
    setting(
        "CACHE_KEY_FILE",
        "",
        "PEM file, read again when it changes: its private key",
    ),
    setting(
        "SENTINEL_USER",
        "",
        "the user at the Sentinels of CACHE_URL, whose user is that of Redis",
    ),
    secret(setting(
        "SENTINEL_PASSWORD",
        "",
        "the password at the Sentinels",
    )),
    setting(
        "SENTINEL_TLS",
        "same",
        "whether the Sentinels are reached by TLS, with the CAs and the certificate of Redis: same = as Redis, yes, no",
    ),
    secret(write_behind(
        "JOURNAL_URL",
        "",
        "file:PATH (only with CACHE_URL=memory:), or the Redis of CACHE_URL [file:data/write-behind/journal; with a Redis cache, that Redis]",
    )),
    write_behind(
        "JOURNAL_SYNC",
        "fsync",
        "what a write in the file journal survives: fsync = a power loss, os = a crash of this process",
    ),
    write_behind(
        "JOURNAL_SEGMENT_BYTES",
        "67108864",
        "size at which the file journal begins a new file",
    ),
    write_behind(
        "JOURNAL_ENTRIES_MAX",
        "10000000",
        "most writes that wait for the database; more are answered 503",
    ),
    write_behind(
        "JOURNAL_BYTES_MAX",
        "0",
        "most bytes that those take in the journal; more are answered 503; 0 = 128000000 in a file journal, which counts this process's memory for them too, 4000000000 in Redis",
    ),
    write_behind(
        "JOURNAL_AGE_MAX_S",
        "86400",
        "while the oldest of those has waited for so many seconds, writes are answered 503",
    ),
    write_behind(
        "DEAD_LETTERS_MAX",
        "10000",
        "most writes that the database refused and that are set aside; further refused writes are held back in the journal",
    ),
    write_behind(
        "DRAIN_BATCH_MAX",
        "1024",
        "most rows of one statement that takes writes from the journal to the database",
    ),
    write_behind(
        "DRAIN_PARALLEL_MAX",
        "4",
        "most shards of the journal that are drained at the same time; that of a new database has one shard",
    ),
    write_behind(
        "DRAIN_LINGER_MS",
        "20",
        "milliseconds to wait for more after a statement that was not full; less, as soon as enough waits for a full one",
    ),
    write_behind(
        "LEASE_MS",
        "10000",
        "milliseconds after which the shards of a process that died are drained by another",
    ),
    write_behind(
        "REDIS_WAIT_REPLICAS",
        "0",
        "replicas of Redis that must have a write before it is answered",
    ),
    write_behind(
        "REDIS_WAIT_FSYNC",
        "no",
        "yes: a write is answered when it is on the disk of Redis, and of those replicas (Redis 7.2 or newer)",
    ),
    write_behind(
        "REDIS_WAIT_TIMEOUT_MS",
        // With `appendfsync everysec` a write that comes alone is on the disk after a second
        // and what the disk takes.
        "3000",
        "milliseconds to wait for that; then the write is answered 503",
    ),
    setting(
        "BATCH_MAX",
        "1024",
        "most writes that go together in one group commit",
    ),
    setting(
        "WAITING_MAX",
        "65536",
        "most writes that wait for a group commit; more are answered 503",
    ),
    setting(
        "CACHE_TTL_S",
        "3600",
        "seconds that a record which the database has stays in the cache",
    ),
    setting(
        "CACHE_ABSENT_TTL_S",
        "30",
        "seconds that the cache remembers that the database has no such name",
    ),
    setting(
        "CACHE_CAPACITY_MB",
        "256",
        "most megabytes of clean records in the memory cache",
    ),
    write_through(
        "CACHE_UNAVAILABLE",
        "bypass",
        "while Redis is unavailable: bypass = read from and write to the database alone, refuse = answer 503",
    ),
    write_through(
        "CACHE_LEASE_MS",
        "10000",
        "milliseconds for which a process takes values from Redis while the database is unavailable, and for which others wait for a process that has died before they bypass Redis",
    ),
    write_through(
        "COMMIT_LANES",
        "0",
        "most group commits that are in the database at the same time; 0 = as many as the database makes use of",
    ),
    setting(
        "REDIS_TIMEOUT_MS",
        "",
        "milliseconds after which Redis counts as unavailable [1000 write-through, 2000 write-behind]",
    ),
    setting("DATABASE_POOL_MAX", "8", "most connections to the database"),
    setting(
        "DATABASE_TIMEOUT_MS",
        "10000",
        "milliseconds after which the database counts as unavailable",
    ),
    setting(
        "TOMBSTONE_RETENTION_S",
        "86400",
        "seconds after a delete until the tombstone, which is the user's row with the name in it, is removed from the database; 0 = never",
    ),
    setting(
        "STARTUP_DEADLINE_S",
        "30",
        "seconds to wait at start for Redis and the database to come up",
    ),
    setting(
        "SHUTDOWN_DEADLINE_S",
        "25",
        "seconds to finish and drain after SIGTERM, SIGINT or SIGHUP",
    ),
    setting(
        "KEEP_ALIVE_S",
        "75",
        "seconds for which a client's connection is kept without a request",
    ),
    setting(
        "HTTP_WORKERS",
        "0",
        "threads that serve HTTP; 0 = one a core",
    ),
    setting(
        "LOG",
        "info,actix_server=warn",
        "what is logged: error, warn, info, debug, trace, or a tracing filter",
    ),
    setting(
        "LOG_FORMAT",
        "text",
        "text or json, one line an event, on standard error",
    ),
    setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "http:// or https:// URL of an OpenTelemetry collector, such as http://localhost:4318: traces are sent there by OTLP over HTTP, at /v1/traces below it; none = no traces",
    ),
    secret(setting(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "",
        "NAME=VALUE, separated by commas: headers to send there, such as a token",
    )),
    setting(
        "OTEL_TRACES_SAMPLER_ARG",
        "1",
        "part of the requests that is traced, from 0 to 1, of those without a traceparent; a traceparent decides for its request",
    ),
];

impl Setting {
    pub(super) fn is_for(&self, service: Service) -> bool {
        self.only.is_none_or(|only| only == service)
    }

    /// The names that it may be given by: its own, and that of the file that has it.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let file = self.is_secret.then(|| secret_file::file_key(self.key));
        [self.key.to_owned()].into_iter().chain(file)
    }

    /// Whether any text will do until it is looked at more closely.
    pub(super) fn is_text(&self) -> bool {
        self.is_secret
            || [
                "ALLOWED_ORIGINS",
                "CORS_ORIGINS",
                "LOG",
                "SENTINEL_USER",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
            ]
            .contains(&self.key)
            || self.key.ends_with("_FILE")
    }

    pub(super) fn default_for(&self, service: Service) -> String {
        match (self.key, service) {
            ("LISTEN", service) => service.default_listen().to_owned(),
            // Write-through has something better to do than to wait for it.
            ("REDIS_TIMEOUT_MS", Service::WriteThrough) => "1000".to_owned(),
            ("REDIS_TIMEOUT_MS", Service::WriteBehind) => "2000".to_owned(),
            _ => self.default.replace("{service}", service.name()),
        }
    }
}

/// The part of `--help` that lists the settings.
pub(super) fn help(service: Service) -> String {
    let mut text =
        "Settings, as environment variables or, in lower case, in the TOML file:\n".to_owned();
    for setting in TABLE.iter().filter(|setting| setting.is_for(service)) {
        let default = setting.default_for(service);
        let default = if default.is_empty() || setting.default.is_empty() {
            String::new()
        } else {
            format!(" [{default}]")
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {:<22} {}{default}", setting.key, setting.help);
        if setting.is_secret {
            let (file, key) = (secret_file::file_key(setting.key), setting.key);
            let _ = write!(text, "\n  {file:<22} a file that has the value of {key}");
        }
    }
    text
}

#[cfg(test)]
mod document;
#[cfg(test)]
mod packaged;
