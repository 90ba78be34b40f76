//! Where a Redis or a database server is, with a password that is never shown.

use std::fmt;
use std::net::SocketAddr;

use url::Url;

use crate::error::{Error, Result};

/// The URL of a Redis, MySQL or MariaDB server. Shown without user, password and options.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(Url);

/// The driver's option that lets it go on over the server's socket in the file system.
const PREFER_SOCKET: &str = "prefer_socket";

impl ServerUrl {
    /// `redis://USER:PASSWORD@HOST:PORT/DB`, or `rediss://` for TLS.
    ///
    /// # Errors
    /// When it is something else; the text is not repeated.
    pub fn redis(text: &str) -> Result<ServerUrl> {
        let wanted = "the cache must be redis://USER:PASSWORD@HOST:PORT/DB, or rediss:// for TLS";
        ServerUrl::of_schemes(text, &["redis", "rediss"], wanted)
    }

    /// `mysql://USER:PASSWORD@HOST:PORT`, maybe with options behind a `?`. A database that it
    /// names is left alone.
    ///
    /// # Errors
    /// When it is something else; the text is not repeated.
    pub fn mysql(text: &str) -> Result<ServerUrl> {
        let wanted = "the database must be mysql://USER:PASSWORD@HOST:PORT";
        ServerUrl::of_schemes(text, &["mysql"], wanted)
    }

    fn of_schemes(text: &str, schemes: &[&str], wanted: &str) -> Result<ServerUrl> {
        Url::parse(text)
            .ok()
            .filter(|url| schemes.contains(&url.scheme()) && url.has_host())
            .map(ServerUrl)
            .ok_or_else(|| Error::Usage(wanted.to_owned()))
    }

    /// All of it, password included, for a driver.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// The host as it is written.
    pub fn host(&self) -> &str {
        let host = self.0.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, or the one that such servers have by custom.
    pub fn port(&self) -> u16 {
        let by_custom = if self.0.scheme() == "mysql" {
            3306
        } else {
            6379
        };
        self.0.port().unwrap_or(by_custom)
    }

    /// The same server's database `name`, in place of the one that is named.
    pub fn with_database(&self, name: &str) -> ServerUrl {
        let mut url = self.0.clone();
        url.set_path(name);
        ServerUrl(url)
    }

    /// The same URL by way of a proxy of this machine. All options are kept but the socket,
    /// over which the driver would avoid the proxy.
    ///
    /// # Errors
    /// When the connection would avoid the proxy all the same, or the server's certificate must
    /// be for a name that the proxy does not have.
    pub fn through(&self, proxy: SocketAddr) -> Result<ServerUrl> {
        let option = |wanted: &str| {
            let mut pairs = self.0.query_pairs();
            pairs.find_map(|(name, value)| (name == wanted).then(|| value.into_owned()))
        };
        if option("socket").is_some() {
            return Err(Error::Usage(
                "the database cannot be disturbed on a socket of the file system: name its \
                 host and port instead"
                    .to_owned(),
            ));
        }
        let checks_the_name = option("require_ssl").as_deref() == Some("true")
            && option("verify_identity").as_deref() != Some("false");
        if checks_the_name && self.host() != proxy.ip().to_string() {
            return Err(Error::Usage(
                "the database is disturbed by a proxy, whose name is not in the server's \
                 certificate: add verify_identity=false to the database's URL"
                    .to_owned(),
            ));
        }
        let mut url = self.0.clone();
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| name != PREFER_SOCKET)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        url.query_pairs_mut()
            .clear()
            .extend_pairs(kept)
            .append_pair(PREFER_SOCKET, "false");
        ServerUrl(url).placed_at(proxy)
    }

    /// The same URL at another address.
    ///
    /// # Errors
    /// When it has no place for one.
    pub fn placed_at(&self, address: SocketAddr) -> Result<ServerUrl> {
        let mut url = self.0.clone();
        let placed =
            url.set_ip_host(address.ip()).is_ok() && url.set_port(Some(address.port())).is_ok();
        match placed {
            true => Ok(ServerUrl(url)),
            false => Err(Error::Usage(format!("{self} cannot be reached by a proxy"))),
        }
    }

    /// Whether it is a Redis without TLS, whose certificate no proxy has to have.
    pub fn is_plain_redis(&self) -> bool {
        self.0.scheme() == "redis"
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host_str().unwrap_or_default();
        write!(formatter, "{}://{host}", self.0.scheme())?;
        match self.0.port() {
            Some(port) => write!(formatter, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: ([u8; 4], u16) = ([127, 0, 0, 1], 9);

    #[test]
    fn a_password_is_never_shown() {
        let url = ServerUrl::mysql("mysql://me:secret@h:1/old?verify_ca=secret").unwrap();
        for shown in [format!("{url}"), format!("{url:?}")] {
            assert_eq!(shown, "mysql://h:1");
        }
        let refused = ServerUrl::redis("http://me:secret@h").unwrap_err();
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }

    #[test]
    fn the_databases_name_is_replaced_and_the_options_are_kept() {
        for (given, expected) in [
            ("mysql://r:p%40@h:1", "mysql://r:p%40@h:1/new"),
            ("mysql://h/old?a=b", "mysql://h/new?a=b"),
        ] {
            let url = ServerUrl::mysql(given).unwrap();
            assert_eq!(url.with_database("new").expose(), expected);
        }
    }

    #[test]
    fn a_url_by_way_of_the_proxy_cannot_go_past_it() {
        let url =
            ServerUrl::mysql("mysql://r:p@h:1/d?prefer_socket=true&compression=fast").unwrap();
        assert_eq!(
            url.through(PROXY.into()).unwrap().expose(),
            "mysql://r:p@127.0.0.1:9/d?compression=fast&prefer_socket=false"
        );
        for refused in [
            "mysql://r@localhost/d?socket=%2Ftmp%2Fs",
            "mysql://r@db/d?require_ssl=true",
        ] {
            assert!(
                ServerUrl::mysql(refused)
                    .unwrap()
                    .through(PROXY.into())
                    .is_err()
            );
        }
        for taken in [
            "mysql://r@db/d?require_ssl=true&verify_identity=false",
            "mysql://r@127.0.0.1/d?require_ssl=true",
        ] {
            assert!(
                ServerUrl::mysql(taken)
                    .unwrap()
                    .through(PROXY.into())
                    .is_ok()
            );
        }
    }
}
