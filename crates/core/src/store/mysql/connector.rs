//! Opening connections to MySQL and MariaDB, by TLS where that is asked for.

use std::fmt;

use diesel_async::AsyncMysqlConnection;
use mysql_async::prelude::Queryable as _;
use mysql_async::{ClientIdentity, Conn, DriverError, Opts, OptsBuilder, SslOpts, UrlError};
use url::Url;

use super::{denied, session};
use crate::error::{Error, Part, Result};
use crate::settings::Secret;
use crate::tls::{DATABASE_KEYS, Identity, Peer, Tls};

/// The numbers of some of the server's errors.
const NO_SUCH_DATABASE: u16 = 1049;
const ACCESS_DENIED: u16 = 1045;
/// As many connections as the server admits, as this user may have, or as a limit on the
/// user's resources allows; and no memory or thread for another.
const NO_ROOM: [u16; 5] = [1040, 1203, 1226, 1041, 1135];

/// What opens connections to one database.
#[derive(Clone)]
pub(super) struct Connector {
    opts: Opts,
    tls: Tls,
}

/// Why there is no connection.
pub(super) enum NotConnected {
    /// The server is there and the database is not.
    NoSuchDatabase,
    /// The server is there and admits no further connection now.
    NoRoom(String),
    /// Anything else.
    Failed(Error),
}

type Connected = std::result::Result<AsyncMysqlConnection, NotConnected>;

impl fmt::Display for NotConnected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotConnected::NoSuchDatabase => formatter.write_str("there is no such database"),
            NotConnected::NoRoom(reason) => formatter.write_str(reason),
            NotConnected::Failed(Error::Unavailable { reason, .. }) => formatter.write_str(reason),
            NotConnected::Failed(error) => error.fmt(formatter),
        }
    }
}

impl From<NotConnected> for Error {
    fn from(error: NotConnected) -> Error {
        match error {
            NotConnected::Failed(error) => error,
            other => Error::unavailable(Part::Database, other),
        }
    }
}

impl Connector {
    /// # Errors
    /// When the driver does not take the URL, or cannot use the files of TLS with it.
    pub(super) fn new(url: &Secret, tls: Tls) -> Result<Connector> {
        let bad_url = |reason: &str| bad("DATABASE_URL", reason);
        let opts = Opts::from_url(url.expose()).map_err(|error| bad_url(&in_words(&error)))?;
        if opts.db_name().is_none_or(str::is_empty) {
            return Err(bad_url("names no database"));
        }
        tls_is_as_asked_for(url, &opts, &tls)?;
        let ssl = ssl_opts(&opts, &tls)?;
        if ssl.is_some() && opts.socket().is_some() {
            return Err(bad_url("has both TLS and a socket of this machine"));
        }
        // The driver goes on over the server's socket where that is on this machine, and
        // there is no TLS on it.
        let prefer_socket = opts.prefer_socket() && ssl.is_none();
        // The brackets around an IPv6 address belong to the URL, not to the host.
        let host = opts.ip_or_hostname().trim_matches(['[', ']']).to_owned();
        let opts = OptsBuilder::from_opts(opts)
            .ip_or_hostname(host)
            .ssl_opts(ssl)
            .prefer_socket(prefer_socket)
            // As diesel-async has it in a connection that it opens itself: it keeps the
            // statements, and counts the rows that were found.
            .stmt_cache_size(0)
            .client_found_rows(true);
        Ok(Connector {
            opts: opts.into(),
            tls,
        })
    }

    /// How to connect, with the files of TLS as they are now.
    fn opts(&self) -> Opts {
        let Some(newer) = self.tls.newer() else {
            return self.opts.clone();
        };
        match ssl_opts(&self.opts, &newer) {
            Ok(ssl) => OptsBuilder::from_opts(self.opts.clone())
                .ssl_opts(ssl)
                .into(),
            // Checked when they were read.
            Err(_) => self.opts.clone(),
        }
    }

    /// The database's name.
    pub(super) fn database(&self) -> &str {
        self.opts.db_name().unwrap_or_default()
    }

    /// Opens a connection to the database.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn connect(&self) -> Connected {
        let connection = Conn::new(self.opts())
            .await
            .map_err(|error| self.meaning(&error))?;
        let failed = |error: &dyn fmt::Display| {
            NotConnected::Failed(Error::unavailable(Part::Database, error))
        };
        let mut connection = AsyncMysqlConnection::try_from(connection)
            .await
            .map_err(|error| failed(&error))?;
        session::begin(&mut connection)
            .await
            .map_err(NotConnected::Failed)?;
        Ok(connection)
    }

    /// Creates the database, unless another process just has.
    ///
    /// # Errors
    /// When the server cannot be reached, or does not let this user do that.
    pub(super) async fn create_database(&self) -> Result<()> {
        let server = OptsBuilder::from_opts(self.opts()).db_name(None::<String>);
        let failed = |error| Error::from(self.meaning(&error));
        let mut server = Conn::new(server).await.map_err(failed)?;
        let name = self.database();
        let create = format!("CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4");
        server.query_drop(create).await.map_err(failed)
    }

    fn meaning(&self, error: &mysql_async::Error) -> NotConnected {
        let peer = Peer {
            part: Part::Database.as_str(),
            host: self.opts.ip_or_hostname(),
            port: self.opts.tcp_port(),
            keys: DATABASE_KEYS,
            tls: &self.tls,
        };
        let sentence = match error {
            mysql_async::Error::Server(error) if error.code == NO_SUCH_DATABASE => {
                return NotConnected::NoSuchDatabase;
            }
            mysql_async::Error::Server(error) if NO_ROOM.contains(&error.code) => {
                return NotConnected::NoRoom(error.to_string());
            }
            mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer) => {
                Some(format!("{} does not speak TLS", peer.name()))
            }
            // It demands a certificate of a user only after the handshake, and does not say
            // which of both it was.
            mysql_async::Error::Server(error)
                if error.code == ACCESS_DENIED
                    && self.opts.ssl_opts().is_some()
                    && self.tls.identity().is_none() =>
            {
                Some(format!(
                    "{} refuses the user of DATABASE_URL: the password is wrong, or it wants a \
                     client certificate, {} and {}",
                    peer.name(),
                    DATABASE_KEYS.certificate,
                    DATABASE_KEYS.key
                ))
            }
            mysql_async::Error::Server(error) => {
                let refused = (error.code, &*error.message);
                denied::account(refused, &peer.name(), self.database())
            }
            error => peer.distrust(error),
        };
        NotConnected::Failed(match sentence {
            Some(sentence) => Error::distrusted(Part::Database, sentence),
            None => Error::unavailable(Part::Database, error),
        })
    }
}

/// What the driver does not take of the URL, by the name of the option and never by its value.
fn in_words(error: &UrlError) -> String {
    match error {
        UrlError::UnknownParameter { param } => format!(
            "has the unknown option {param} (connections always use utf8mb4 and UTC): leave it out"
        ),
        UrlError::InvalidParamValue { param, .. } => {
            format!("has an invalid value for the option {param}")
        }
        UrlError::FeatureRequired { .. } => "asks for something that is not built in".to_owned(),
        _ => "is not one that the driver takes".to_owned(),
    }
}

fn bad(key: &'static str, reason: &str) -> Error {
    Error::BadSetting {
        key,
        reason: reason.into(),
    }
}

/// What the driver heeds only beside `require_ssl=true`.
const TLS_OPTIONS: [&str; 3] = ["verify_ca", "verify_identity", "built_in_roots"];

/// Refuses what the URL says of TLS and nothing would heed: who writes it believes that
/// the connection is a secure one, and of that kind.
fn tls_is_as_asked_for(url: &Secret, opts: &Opts, tls: &Tls) -> Result<()> {
    let url = Url::parse(url.expose());
    let options = url.iter().flat_map(Url::query_pairs);
    for (option, value) in options.filter(|(option, _)| TLS_OPTIONS.contains(&&**option)) {
        if tls.ca_pem().is_some() {
            // The CA decides by itself whom to trust.
            if option != "built_in_roots" && value == "false" {
                let reason =
                    format!("DATABASE_URL leaves certificates unchecked, by {option}=false");
                return Err(bad(DATABASE_KEYS.ca, &reason));
            }
        } else if opts.ssl_opts().is_none() && (tls.is_none() || value == "false") {
            let reason = format!("{option} only with require_ssl=true");
            return Err(bad("DATABASE_URL", &reason));
        }
    }
    Ok(())
}

/// TLS as the URL and the files ask for it, if they do.
fn ssl_opts(opts: &Opts, tls: &Tls) -> Result<Option<SslOpts>> {
    let asked_for = opts.ssl_opts().cloned();
    if tls.is_none() {
        return Ok(asked_for);
    }
    let mut ssl = asked_for.unwrap_or_default();
    if let Some(ca) = tls.ca_pem() {
        ssl = ssl
            .with_root_certs(vec![ca.to_vec().into()])
            .with_disable_built_in_roots(true);
    }
    if let Some(identity) = tls.identity() {
        ssl = ssl.with_client_identity(Some(client_identity(identity)?));
    }
    Ok(Some(ssl))
}

/// The driver reads no other key than an RSA key as PKCS #1 has it.
fn client_identity(identity: &Identity) -> Result<ClientIdentity> {
    let Some(key) = identity.rsa_key_der() else {
        return Err(bad(DATABASE_KEYS.key, "must hold an RSA key"));
    };
    let certificate = identity.certificate_pem().to_vec();
    Ok(ClientIdentity::new(certificate.into(), key.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::DatabaseUrl;
    use testkit::certificates::{Authority, Validity};

    fn connector(url: &str, tls: Tls) -> Result<Connector> {
        match DatabaseUrl::parse(url) {
            Ok(DatabaseUrl::Mysql(url)) => Connector::new(&url, tls),
            other => panic!("{other:?}"),
        }
    }

    fn tls(ca: bool, identity: Option<[&str; 2]>, authority: &Authority) -> Tls {
        let read = |path: &str| std::fs::read(path).unwrap();
        let ca = ca.then(|| read(authority.ca_file()));
        let identity = identity.map(|[certificate, key]| (read(certificate), read(key)));
        Tls::new(DATABASE_KEYS, ca, identity).unwrap()
    }

    fn refused_key(outcome: Result<Connector>) -> &'static str {
        match outcome.map(drop) {
            Err(Error::BadSetting { key, .. }) => key,
            other => panic!("{other:?}"),
        }
    }

    const URL: &str = "mysql://me@127.0.0.1/users";

    #[test]
    fn tls_is_used_where_anything_asks_for_it_and_never_a_socket_then() {
        let authority = Authority::new("CA");
        let client = authority.client("a service");
        let by_url = "mysql://me@127.0.0.1/users?require_ssl=true&prefer_socket=true";
        for (url, tls) in [
            (by_url, Tls::default()),
            (URL, tls(true, None, &authority)),
            (URL, tls(false, Some(client.paths()), &authority)),
            (by_url, tls(true, Some(client.paths()), &authority)),
        ] {
            let has_ca = tls.ca_pem().is_some();
            let opts = connector(url, tls).unwrap().opts;
            let ssl = opts.ssl_opts().unwrap();
            assert!(!opts.prefer_socket());
            assert!(!ssl.accept_invalid_certs() && !ssl.skip_domain_validation());
            assert_eq!(
                ssl.disable_built_in_roots(),
                has_ca,
                "a private CA is the only one"
            );
        }
        let plain = connector(URL, Tls::default()).unwrap().opts;
        assert!(plain.ssl_opts().is_none() && plain.prefer_socket());
    }

    #[test]
    fn what_the_driver_cannot_do_is_refused_by_the_setting() {
        let authority = Authority::new("CA");
        let socket = "mysql://me@127.0.0.1/users?socket=%2Ftmp%2Fmysql.sock";
        assert!(connector(socket, Tls::default()).is_ok());
        let with_ca = connector(socket, tls(true, None, &authority));
        assert_eq!(refused_key(with_ca), "DATABASE_URL");
        for (option, named) in [
            ("charset=utf8mb4", "charset"),
            ("nonsense", "nonsense"),
            ("pool_min=s3cret", "pool_min"),
        ] {
            let url = format!("mysql://me@127.0.0.1/users?{option}");
            match connector(&url, Tls::default()).map(drop) {
                Err(Error::BadSetting { key, reason }) => {
                    assert_eq!(key, "DATABASE_URL");
                    assert!(
                        reason.contains(named) && !reason.contains("s3cret"),
                        "{reason}"
                    );
                }
                other => panic!("{other:?}"),
            }
        }
        // Its key is no RSA key.
        let other = authority.server(&["host"], Validity::Valid);
        let with_key = connector(URL, tls(false, Some(other.paths()), &authority));
        assert_eq!(refused_key(with_key), "DATABASE_KEY_FILE");
    }

    #[test]
    fn an_ipv6_address_is_reached_without_its_brackets() {
        for (url, host) in [
            ("mysql://me@[::1]:3307/users", "::1"),
            ("mysql://me@127.0.0.1:3307/users", "127.0.0.1"),
            ("mysql://me@db.example:3307/users", "db.example"),
        ] {
            let opts = connector(url, Tls::default()).unwrap().opts;
            assert_eq!((opts.ip_or_hostname(), opts.tcp_port()), (host, 3307));
        }
    }

    #[test]
    fn what_the_url_says_of_tls_is_heeded_or_refused() {
        let authority = Authority::new("CA");
        let client = authority.client("a service");
        let with_ca = || tls(true, None, &authority);
        let with_key = || tls(false, Some(client.paths()), &authority);
        for option in TLS_OPTIONS {
            for value in ["true", "false"] {
                for (ssl, plain) in [
                    ("", true),
                    ("require_ssl=false&", true),
                    ("require_ssl=true&", false),
                ] {
                    let url = format!("{URL}?{ssl}{option}={value}");
                    let key = |tls| {
                        connector(&url, tls).err().map(|error| match error {
                            Error::BadSetting { key, reason } => {
                                assert!(reason.contains(option), "{url}: {reason}");
                                key
                            }
                            other => panic!("{url}: {other:?}"),
                        })
                    };
                    let without = plain.then_some("DATABASE_URL");
                    assert_eq!(key(Tls::default()), without, "{url}");
                    let unchecked = value == "false" && option != "built_in_roots";
                    assert_eq!(
                        key(with_ca()),
                        unchecked.then_some("DATABASE_CA_FILE"),
                        "{url}"
                    );
                    let with_key = key(with_key());
                    assert_eq!(with_key, without.filter(|_| value == "false"), "{url}");
                }
            }
        }
    }
}
