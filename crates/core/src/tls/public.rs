//! TLS to a server of which only its name is known: with a certificate of the system's CAs.

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The CA certificates in `file`, else those of the system or in `SSL_CERT_FILE`.
///
/// # Errors
/// When there are none, or the file cannot be read.
pub fn trusted(file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, String> {
    let Some(file) = file else {
        let trusted = rustls_native_certs::load_native_certs().certs;
        return match trusted.is_empty() {
            true => Err("the system has no CA certificates, which https needs".to_owned()),
            false => Ok(trusted),
        };
    };
    let in_file = |error: String| format!("{}: {error}", file.display());
    let text = fs::read(file).map_err(|error| in_file(error.to_string()))?;
    let trusted: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let trusted = trusted.map_err(|error| in_file(error.to_string()))?;
    let usable = RootCertStore::empty()
        .add_parsable_certificates(trusted.iter().cloned())
        .0;
    match usable {
        0 => Err(in_file("holds no certificate in PEM".to_owned())),
        _ => Ok(trusted),
    }
}

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
        roots.add_parsable_certificates(trusted(None)?);
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
