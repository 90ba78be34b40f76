//! TLS to a server of which only its name is known: with a certificate of the system's CAs.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, crypto};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How to connect to one server.
#[derive(Clone)]
pub(crate) struct PublicTls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl std::fmt::Debug for PublicTls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PublicTls({:?})", self.name)
    }
}

impl PublicTls {
    /// Reads the system's CAs, or those in `SSL_CERT_FILE`.
    ///
    /// # Errors
    /// What keeps a certificate from being checked.
    pub(crate) fn new(host: &str) -> Result<PublicTls, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("the system has no CA certificates, which https needs".to_owned());
        }
        let config = ClientConfig::builder_with_provider(crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(PublicTls {
            connector: TlsConnector::from(Arc::new(config)),
            name,
        })
    }

    /// # Errors
    /// As the handshake.
    pub(crate) async fn connect(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}
