//! The server that a link goes to: how it is reached, by TLS where its URL says so,
//! and what a failed connection means.

use std::error::Error as StdError;
use std::time::Duration;

use deadpool_redis::redis::io::tcp::TcpSettings;
use deadpool_redis::redis::io::tcp::socket2::TcpKeepalive;
use deadpool_redis::redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion,
    RedisResult, TlsCertificates,
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::error::{Error, Part, Result};
use crate::settings::{Address, Secret, SentinelAccess};
use crate::tls::{CACHE_KEYS, Peer, Tls};

/// How long a server may take to answer a command that needs no login.
const PLAIN_ANSWER_TIME_MAX: Duration = Duration::from_secs(1);

/// After how long without a word the system asks whether the other end is still
/// there, how often it asks again, and how many times: less than the shortest time
/// after which firewalls and load balancers forget a connection (AWS: 350 s).
const KEEPALIVE_TIME: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES_MAX: u32 = 3;

/// A Redis server.
#[derive(Clone)]
pub(super) struct Endpoint {
    url: Secret,
    tls: Tls,
    info: ConnectionInfo,
}

impl Endpoint {
    /// # Errors
    /// When the driver does not take the URL.
    pub(super) fn new(address: Address) -> Result<Endpoint> {
        let Address { url, tls } = address;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_TIME)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_PROBES_MAX);
        let tcp = TcpSettings::default().set_keepalive(keepalive);
        let info = connection_info(&url, &tls).map_err(|error| {
            let reason = error.detail().unwrap_or("is not one that the driver takes");
            Error::BadSetting {
                key: "CACHE_URL",
                reason: reason.into(),
            }
        })?;
        let info = info.set_tcp_settings(tcp);
        Ok(Endpoint { url, tls, info })
    }

    /// The same with another login: a Sentinel's.
    pub(super) fn with_login(mut self, access: &SentinelAccess) -> Endpoint {
        let mut settings = self.info.redis_settings().clone();
        if let Some(password) = &access.password {
            settings = settings.set_password(password.expose());
            if !access.user.is_empty() {
                settings = settings.set_username(&access.user);
            }
        }
        self.info = self.info.set_redis_settings(settings);
        self
    }

    /// Where it is, without credentials.
    pub(super) fn url(&self) -> &Secret {
        &self.url
    }

    /// What every connection to it is opened with.
    pub(super) fn info(&self) -> ConnectionInfo {
        self.info.clone()
    }

    /// The same without a chosen database: not every kind of server has several.
    pub(super) fn info_without_database(&self) -> ConnectionInfo {
        let settings = self.info.redis_settings().clone().set_db(0);
        self.info.clone().set_redis_settings(settings)
    }

    /// The number of the database that the URL names.
    pub(super) fn database(&self) -> i64 {
        self.info.redis_settings().db()
    }

    /// Host and port, or the path of a socket.
    pub(super) fn address(&self) -> String {
        self.info.addr().to_string()
    }

    /// The same for a connection over which the driver says that it has ended, which
    /// it only does in the newer protocol.
    pub(super) fn info_for_pushes(&self) -> ConnectionInfo {
        let settings = self.info.redis_settings().clone();
        let settings = settings.set_protocol(ProtocolVersion::RESP3);
        self.info.clone().set_redis_settings(settings)
    }

    /// What it means that opening a connection failed.
    pub(super) fn not_opened(&self, part: Part, error: &(dyn StdError + 'static)) -> Option<Error> {
        let sentence = self.peer(part)?.distrust(error)?;
        Some(Error::distrusted(part, sentence))
    }

    /// Returns the error that the server does not speak TLS, if that is so. A Redis
    /// without TLS that gets a TLS greeting just waits for more, so that the
    /// connection fails as if the host did not answer.
    pub(super) async fn speaks_no_tls(&self, part: Part) -> Option<Error> {
        let peer = self.peer(part)?;
        let asked = ask_plainly(peer.host, peer.port);
        match tokio::time::timeout(PLAIN_ANSWER_TIME_MAX, asked).await {
            // A status or an error. TLS would begin otherwise.
            Ok(Ok(b'+' | b'-')) => {
                let sentence = format!("{} does not speak TLS", peer.name());
                Some(Error::distrusted(part, sentence))
            }
            _ => None,
        }
    }

    /// The server, if it is to be reached by TLS.
    fn peer(&self, part: Part) -> Option<Peer<'_>> {
        match self.info.addr() {
            ConnectionAddr::TcpTls { host, port, .. } => Some(Peer {
                part: part.as_str(),
                host,
                port: *port,
                keys: CACHE_KEYS,
                tls: &self.tls,
            }),
            _ => None,
        }
    }
}

/// The first byte of what a server answers to `PING`.
async fn ask_plainly(host: &str, port: u16) -> std::io::Result<u8> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(b"PING\r\n").await?;
    stream.read_u8().await
}

fn connection_info(url: &Secret, tls: &Tls) -> RedisResult<ConnectionInfo> {
    let info = url.expose().into_connection_info()?;
    let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
    if !is_tls || tls.is_none() {
        return Ok(info);
    }
    let certificates = TlsCertificates {
        client_tls: tls.identity().map(|identity| ClientTlsConfig {
            client_cert: identity.certificate_pem().to_vec(),
            client_key: identity.key_pem().to_vec(),
        }),
        root_cert: tls.ca_pem().map(<[u8]>::to_vec),
    };
    let client = Client::build_with_tls(info, certificates)?;
    Ok(client.get_connection_info().clone())
}
