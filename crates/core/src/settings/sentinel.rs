//! The URL of a Redis that Sentinels watch, and how to log in at them.

use std::fmt;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::settings::{BadSetting, CacheUrl, Secret, bad};

/// The port of a Sentinel whose URL names none.
const PORT: u16 = 26_379;
/// A URL with more Sentinels is a mistake.
const SENTINELS_MAX: usize = 15;

const WANTED: &str = "must be redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT,HOST:PORT/PRIMARY/DB, where USER \
     and PASSWORD are those of Redis and PRIMARY is the name by which the Sentinels know it; rediss+sentinel:// for TLS";

/// `redis+sentinel://USER:PASSWORD@HOST:PORT,…/PRIMARY/DB`, or `rediss+sentinel://…`.
#[derive(Clone, PartialEq, Eq)]
pub struct SentinelUrl {
    /// Host and port of each Sentinel, in alphabetical order.
    pub sentinels: Vec<(String, u16)>,
    /// The name by which they know the primary.
    pub primary: String,
    /// Whether Redis is reached by TLS.
    pub is_tls: bool,
    // `USER:PASSWORD@`, or nothing.
    credentials: String,
    database: String,
}

/// Whether Sentinels are reached by TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SentinelTls {
    /// As Redis.
    Same,
    Yes,
    No,
}

/// How to log in at the Sentinels.
#[derive(Clone, Debug, Default)]
pub struct SentinelAccess {
    /// The user; that without a name where this is empty.
    pub user: String,
    /// The user's password, if one is wanted.
    pub password: Option<Secret>,
    /// Whether by TLS; as Redis itself where this is `None`.
    pub tls: Option<bool>,
}

/// What the settings say of logging in at the Sentinels that `cache` names.
///
/// # Errors
/// The setting that has no effect, since `cache` names none.
pub(super) fn access(
    cache: &CacheUrl,
    user: String,
    password: String,
    tls: SentinelTls,
) -> Result<SentinelAccess, BadSetting> {
    let names_sentinels = match cache {
        CacheUrl::Redis(url) => matches!(SentinelUrl::parse(url.expose()), Ok(Some(_))),
        CacheUrl::Memory => false,
    };
    let given = [
        ("SENTINEL_USER", !user.is_empty()),
        ("SENTINEL_PASSWORD", !password.is_empty()),
        ("SENTINEL_TLS", tls != SentinelTls::Same),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((key, _)) if !names_sentinels => {
            return Err(bad(key, "only with CACHE_URL=redis+sentinel://…"));
        }
        _ => {}
    }
    if !user.is_empty() && password.is_empty() {
        return Err(bad("SENTINEL_USER", "only together with SENTINEL_PASSWORD"));
    }
    Ok(SentinelAccess {
        user,
        password: (!password.is_empty()).then(|| Secret::new(password)),
        tls: match tls {
            SentinelTls::Same => None,
            SentinelTls::Yes => Some(true),
            SentinelTls::No => Some(false),
        },
    })
}

impl SentinelUrl {
    /// Reads `text`. Returns `None` for a URL that names no Sentinels.
    ///
    /// # Errors
    /// What is wrong, without repeating the text.
    pub fn parse(text: &str) -> Result<Option<SentinelUrl>, &'static str> {
        let (is_tls, rest) = match text.split_once("+sentinel://") {
            Some(("redis", rest)) => (false, rest),
            Some(("rediss", rest)) => (true, rest),
            _ => return Ok(None),
        };
        if rest.contains(['?', '#']) {
            return Err("a URL of Sentinels takes no options");
        }
        let (authority, path) = rest.split_once('/').ok_or(WANTED)?;
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
            None => (String::new(), authority),
        };
        let sentinels = hosts.split(',').map(host_and_port);
        let mut sentinels = sentinels.collect::<Option<Vec<_>>>().ok_or(WANTED)?;
        sentinels.sort();
        sentinels.dedup();
        let (primary, database) = path.split_once('/').unwrap_or((path, ""));
        let is_number = database.is_empty() || database.parse::<u16>().is_ok();
        let is_name = !primary.is_empty() && primary.chars().all(may_name_a_primary);
        if !is_name || !is_number || sentinels.len() > SENTINELS_MAX {
            return Err(WANTED);
        }
        Ok(Some(SentinelUrl {
            sentinels,
            primary: primary.to_owned(),
            is_tls,
            credentials,
            database: database.to_owned(),
        }))
    }

    /// The URL of each Sentinel, with the login there.
    pub(crate) fn sentinel_urls(&self, access: &SentinelAccess) -> Vec<Secret> {
        let scheme = scheme(access.tls.unwrap_or(self.is_tls));
        let login = match &access.password {
            Some(password) => {
                let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
                let (user, password) = (encoded(&access.user), encoded(password.expose()));
                format!("{user}:{password}@")
            }
            None => String::new(),
        };
        let urls = self.hosts();
        urls.map(|host| Secret::new(format!("{scheme}://{login}{host}")))
            .collect()
    }

    /// `HOST:PORT` of each Sentinel, as a URL has it.
    fn hosts(&self) -> impl Iterator<Item = String> {
        let hosts = self.sentinels.iter();
        hosts.map(|(host, port)| format!("{}:{port}", in_brackets(host)))
    }

    /// The Sentinels and their name of the primary.
    pub(crate) fn address(&self) -> String {
        let hosts: Vec<_> = self.hosts().collect();
        format!("{}/{}", hosts.join(","), self.primary)
    }

    /// The URL of a server that the Sentinels have named.
    pub fn server(&self, host: &str, port: u16) -> Secret {
        let scheme = scheme(self.is_tls);
        let (credentials, database) = (&self.credentials, &self.database);
        let host = in_brackets(host);
        Secret::new(format!("{scheme}://{credentials}{host}:{port}/{database}"))
    }
}

impl fmt::Display for SentinelUrl {
    /// The URL without user and password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = scheme(self.is_tls);
        write!(formatter, "{scheme}+sentinel://{}", self.address())?;
        match self.database.as_str() {
            "" => Ok(()),
            database => write!(formatter, "/{database}"),
        }
    }
}

impl fmt::Debug for SentinelUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

fn scheme(is_tls: bool) -> &'static str {
    match is_tls {
        true => "rediss",
        false => "redis",
    }
}

/// An IPv6 address is in brackets in a URL.
fn in_brackets(host: &str) -> String {
    match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    }
}

fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (
                host,
                port.strip_prefix(':').or(port.is_empty().then_some(""))?,
            )
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let port = match port {
        "" => PORT,
        port => port.parse().ok().filter(|port| *port > 0)?,
    };
    let is_host =
        |character: char| character.is_ascii_alphanumeric() || ".-_:%".contains(character);
    (!host.is_empty() && host.chars().all(is_host)).then(|| (host.to_owned(), port))
}

/// What Sentinel itself accepts in `sentinel monitor NAME`.
fn may_name_a_primary(character: char) -> bool {
    character.is_ascii_alphanumeric() || ".-_".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> SentinelUrl {
        SentinelUrl::parse(text).unwrap().expect(text)
    }

    #[test]
    fn hosts_primary_and_database_are_read() {
        let url = parse("redis+sentinel://b:7,a,[::1]:8/my.master-1/3");
        let hosts = [("::1".into(), 8), ("a".into(), PORT), ("b".into(), 7)];
        assert_eq!(url.sentinels, hosts);
        assert_eq!(url.primary, "my.master-1");
        let server = url.server("10.0.0.1", 6379);
        assert_eq!(server.expose(), "redis://10.0.0.1:6379/3");
        let text = "redis+sentinel://[::1]:8,a:26379,b:7/my.master-1/3";
        assert_eq!(url.to_string(), text);
    }

    #[test]
    fn credentials_go_to_redis_and_are_not_shown() {
        let url = parse("rediss+sentinel://me:s3cr@t@a,b/m");
        assert_eq!(url.server("::1", 1).expose(), "rediss://me:s3cr@t@[::1]:1/");
        assert_eq!(format!("{url} {url:?}").matches("s3c").count(), 0);
        assert_eq!(parse("redis+sentinel://a,a/m").sentinels.len(), 1);
    }

    #[test]
    fn a_sentinel_has_a_login_of_its_own() {
        let url = parse("rediss+sentinel://me:redis@[::1]:8,b/m");
        let mut access = SentinelAccess::default();
        let texts = |access: &SentinelAccess| -> Vec<String> {
            let urls = url.sentinel_urls(access).into_iter();
            urls.map(|url| url.expose().to_owned()).collect()
        };
        assert_eq!(texts(&access), ["rediss://[::1]:8", "rediss://b:26379"]);
        access.tls = Some(false);
        access.password = Some(Secret::new("p@ss:word/1".to_owned()));
        assert_eq!(texts(&access)[1], "redis://:p%40ss%3Aword%2F1@b:26379");
        access.user = "u".to_owned();
        assert_eq!(texts(&access)[1], "redis://u:p%40ss%3Aword%2F1@b:26379");
    }

    #[test]
    fn urls_without_a_primary_or_with_wrong_hosts_are_refused() {
        for text in [
            "redis+sentinel://",
            "redis+sentinel://a",
            "redis+sentinel://a/",
            "redis+sentinel:///m",
            "redis+sentinel://a,/m",
            "redis+sentinel://a:0/m",
            "redis+sentinel://a:x/m",
            "redis+sentinel://[::1/m",
            "redis+sentinel://[::1]x/m",
            "redis+sentinel://a b/m",
            "redis+sentinel://a/m n",
            "redis+sentinel://a/m/x",
            "redis+sentinel://a/m/0/1",
            "redis+sentinel://a/m?protocol=resp3",
        ] {
            assert!(SentinelUrl::parse(text).is_err(), "{text}");
        }
        for text in ["redis://a/0", "memory:", "http+sentinel://a/m"] {
            assert_eq!(SentinelUrl::parse(text), Ok(None), "{text}");
        }
    }
}
