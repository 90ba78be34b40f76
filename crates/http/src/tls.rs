//! TLS to clients: the handshake of each connection, with the certificate as it is in its files now.

mod stream;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cache_core::error::Result;
use cache_core::process::file_watch::FileWatch;
use cache_core::tls::server::{CERTIFICATE_KEY, PRIVATE_KEY_KEY, server_config};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

pub(crate) use stream::Stream;

/// How long a client may take for a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The first byte of a handshake, which no HTTP request begins with.
const HANDSHAKE: u8 = 0x16;
/// What a client is told that speaks plain HTTP here.
const NO_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
                        This port speaks TLS: use https.\n";
/// So much of a request is read before that answer, so that the client is not cut off while it writes.
const REQUEST_BYTES_READ: usize = 16 * 1024;

/// The certificate of the service. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct ServerTls {
    config: FileWatch<ServerConfig>,
}

impl ServerTls {
    /// Reads certificate and key, and reads them again when they change.
    ///
    /// # Errors
    /// `BadSetting` for what cannot be used.
    pub(crate) fn start(certificate: &Path, key: &Path) -> Result<ServerTls> {
        let files = vec![
            (CERTIFICATE_KEY, certificate.to_owned()),
            (PRIVATE_KEY_KEY, key.to_owned()),
        ];
        let config = FileWatch::start(files, |contents| match contents {
            [certificate, key] => server_config(certificate, key),
            _ => Err((CERTIFICATE_KEY, "is missing".to_owned())),
        })?;
        Ok(ServerTls { config })
    }

    /// Comes to terms with a client that has just connected.
    ///
    /// # Errors
    /// When the client speaks no TLS, or takes too long.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<Stream> {
        let accepted = timeout(HANDSHAKE_TIMEOUT, self.shake_hands(stream)).await;
        accepted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn shake_hands(&self, mut stream: TcpStream) -> io::Result<Stream> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first != [HANDSHAKE] {
            let mut request = vec![0; REQUEST_BYTES_READ];
            let _ = stream.read(&mut request).await?;
            stream.write_all(NO_TLS).await?;
            stream.shutdown().await?;
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the client speaks no TLS",
            ));
        }
        let config: Arc<ServerConfig> = self.config.value();
        let accepted = TlsAcceptor::from(config).accept(stream).await?;
        Ok(Stream::Tls(Box::new(accepted)))
    }

    /// Why the files are not used as they are now, if they are not.
    pub(crate) fn warning(&self) -> Option<String> {
        self.config.refused()
    }
}
