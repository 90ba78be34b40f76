//! The server that a link goes to: how it is reached, by TLS where its URL says so,
//! and what it means that it is not.

use std::error::Error as StdError;

use deadpool_redis::redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisResult,
    TlsCertificates,
};

use crate::error::{Error, Part, Result};
use crate::settings::{Address, Secret};
use crate::tls::{CACHE_KEYS, Peer, Tls};

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
        let info = connection_info(&url, &tls).map_err(|error| {
            let reason = error.detail().unwrap_or("is not one that the driver takes");
            Error::BadSetting {
                key: "CACHE_URL",
                reason: reason.into(),
            }
        })?;
        Ok(Endpoint { url, tls, info })
    }

    /// Where it is, without credentials.
    pub(super) fn url(&self) -> &Secret {
        &self.url
    }

    /// What every connection to it is opened with.
    pub(super) fn info(&self) -> ConnectionInfo {
        self.info.clone()
    }

    /// What it means that opening a connection failed.
    pub(super) fn not_opened(&self, part: Part, error: &(dyn StdError + 'static)) -> Option<Error> {
        let ConnectionAddr::TcpTls { host, port, .. } = self.info.addr() else {
            return None;
        };
        let peer = Peer {
            part: part.as_str(),
            host,
            port: *port,
            keys: CACHE_KEYS,
            tls: &self.tls,
        };
        peer.distrust(error)
            .map(|sentence| Error::distrusted(part, sentence))
    }
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
