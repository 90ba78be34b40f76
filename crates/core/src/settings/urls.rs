//! The URLs that say which parts a service runs on.

use std::fmt;
use std::path::PathBuf;

use url::Url;

use crate::settings::{SentinelAccess, SentinelUrl};
use crate::tls::Tls;

/// A text that may hold a password: shown without it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub(crate) fn new(text: String) -> Secret {
        Secret(text)
    }

    /// The text, password included, for the driver.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    /// The URL without user, password and query.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Ok(Some(sentinels)) = SentinelUrl::parse(&self.0) {
            return write!(formatter, "{sentinels}");
        }
        let Ok(url) = Url::parse(&self.0) else {
            return formatter.write_str("a URL");
        };
        write!(
            formatter,
            "{}://{}",
            url.scheme(),
            url.host_str().unwrap_or_default()
        )?;
        if let Some(port) = url.port() {
            write!(formatter, ":{port}")?;
        }
        formatter.write_str(url.path())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// Where a server is, and for TLS the CAs and the client certificate.
#[derive(Clone, Debug)]
pub struct Address {
    /// Where.
    pub url: Secret,
    /// Whom to trust.
    pub tls: Tls,
}

impl From<Secret> for Address {
    /// With the public CAs and no client certificate.
    fn from(url: Secret) -> Address {
        Address {
            url,
            tls: Tls::default(),
        }
    }
}

/// Where a Redis is, or the Sentinels that know where it is.
#[derive(Clone, Debug)]
pub struct RedisAddress {
    /// The URL, and the files of TLS.
    pub address: Address,
    /// How to log in at the Sentinels, where the URL names some.
    pub sentinels: SentinelAccess,
}

impl<T: Into<Address>> From<T> for RedisAddress {
    fn from(address: T) -> RedisAddress {
        RedisAddress {
            address: address.into(),
            sentinels: SentinelAccess::default(),
        }
    }
}

/// Which database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// MySQL or MariaDB.
    Mysql(Secret),
}

impl DatabaseUrl {
    /// Reads `sqlite://PATH` or `mysql://…/DATABASE`.
    ///
    /// # Errors
    /// What is wrong, without repeating the text.
    pub fn parse(text: &str) -> Result<DatabaseUrl, &'static str> {
        const WANTED: &str = "must be sqlite://PATH or mysql://USER:PASSWORD@HOST:PORT/DATABASE";
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            // SQLite would take the last one for a URI: another file, with other options.
            return if path.is_empty() || path == ":memory:" || path.starts_with("file:") {
                Err(WANTED)
            } else {
                Ok(DatabaseUrl::Sqlite(path.into()))
            };
        }
        let url = Url::parse(text)
            .ok()
            .filter(|url| url.scheme() == "mysql" && url.has_host());
        let Some(url) = url else { return Err(WANTED) };
        match url.path().trim_start_matches('/') {
            "" => Err("must name a database: mysql://USER:PASSWORD@HOST:PORT/DATABASE"),
            // It becomes an identifier in CREATE DATABASE.
            name if name.len() <= 64 && name.chars().all(may_name_a_database) => {
                Ok(DatabaseUrl::Mysql(Secret(text.to_owned())))
            }
            _ => Err("the database's name may have letters, digits, '_' and '-', 64 at most"),
        }
    }
}

fn may_name_a_database(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || character == '-'
}

/// Which cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheUrl {
    /// This process's memory.
    Memory,
    /// A Redis server.
    Redis(Secret),
}

impl CacheUrl {
    /// Reads `memory:`, `redis://…`, `rediss://…`, or the same with `+sentinel`.
    ///
    /// # Errors
    /// What is wrong, without repeating the text.
    pub fn parse(text: &str) -> Result<CacheUrl, &'static str> {
        if SentinelUrl::parse(text)?.is_some() {
            return Ok(CacheUrl::Redis(Secret(text.to_owned())));
        }
        let has_place = |scheme| {
            let rest = text.strip_prefix(scheme);
            rest.is_some_and(|rest: &str| !rest.is_empty())
        };
        match text {
            "memory:" | "memory://" => Ok(CacheUrl::Memory),
            // `#insecure` is the driver's way to accept any certificate, which is not built in.
            _ if has_place("rediss://") && text.contains('#') => {
                Err("rediss:// takes no #insecure: name the CA in CACHE_CA_FILE")
            }
            _ if has_place("redis://") || has_place("rediss://") => {
                Ok(CacheUrl::Redis(Secret(text.to_owned())))
            }
            _ => Err("must be memory:, redis://USER:PASSWORD@HOST:PORT/DB or \
                 redis+sentinel://USER:PASSWORD@HOST,HOST,HOST/PRIMARY/DB; rediss for TLS"),
        }
    }
}

/// What the driver reads of a URL's query; it passes over everything else.
const CACHE_OPTION: &str = "protocol";

impl CacheUrl {
    /// The name of an option of the URL that would be ignored.
    pub(super) fn unknown_option(&self) -> Option<String> {
        let CacheUrl::Redis(url) = self else {
            return None;
        };
        let url = Url::parse(url.expose()).ok()?;
        let mut names = url.query_pairs().map(|(name, _)| name);
        let unknown = names.find(|name| name != CACHE_OPTION);
        unknown.map(|name| name.into_owned())
    }
}

/// Which journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalUrl {
    /// A folder of this machine.
    File(PathBuf),
    /// The cache's Redis, where one script writes both.
    WithCache,
}

/// The default bounds on the bytes that wait. What waits in a file journal is also in this process's
/// memory, since the cache must not evict it.
const FILE_BYTES_MAX: u64 = 128_000_000;
const REDIS_BYTES_MAX: u64 = 4_000_000_000;

impl JournalUrl {
    /// The bound on the bytes that wait in it. A `setting` of 0 stands for the default.
    pub(super) fn bytes_max(&self, setting: u64) -> u64 {
        match (setting, self) {
            (0, JournalUrl::File(_)) => FILE_BYTES_MAX,
            (0, JournalUrl::WithCache) => REDIS_BYTES_MAX,
            (bytes, _) => bytes,
        }
    }

    /// Reads `file:PATH`, the URL of the cache's Redis, or nothing for what
    /// goes with the cache.
    ///
    /// # Errors
    /// What is wrong, without repeating the text.
    pub fn parse(text: &str, cache: &CacheUrl) -> Result<JournalUrl, &'static str> {
        match (text, cache) {
            ("", CacheUrl::Memory) => Ok(JournalUrl::File("data/write-behind/journal".into())),
            ("", CacheUrl::Redis(_)) => Ok(JournalUrl::WithCache),
            (_, CacheUrl::Redis(url)) if text == url.expose() => Ok(JournalUrl::WithCache),
            (_, CacheUrl::Redis(_)) => {
                Err("with a Redis cache the journal is in the same Redis: leave it empty")
            }
            (_, CacheUrl::Memory) => match text
                .strip_prefix("file:")
                .map(|path| path.strip_prefix("//").unwrap_or(path))
            {
                None | Some("") => Err("must be file:PATH with the memory cache"),
                Some(path) => Ok(JournalUrl::File(path.into())),
            },
        }
    }
}
