//! A client that speaks TLS and trusts one CA.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto};
use testkit::certificates::Authority;

/// How long one read may take.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection.
pub(crate) struct TlsClient {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl TlsClient {
    /// Connects to `https://ADDRESS` and comes to terms with the server.
    pub(crate) fn open(base_url: &str, authority: &Authority) -> io::Result<TlsClient> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(authority.ca_file()).unwrap())
            .unwrap();
        let mut config =
            ClientConfig::builder_with_provider(crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let address = base_url.strip_prefix("https://").expect("https");
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(READ_TIMEOUT))?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        assert_eq!(connection.alpn_protocol(), Some(b"http/1.1".as_slice()));
        Ok(TlsClient {
            stream: StreamOwned::new(connection, socket),
        })
    }

    /// The certificate that the server has shown.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        self.stream.conn.peer_certificates().unwrap()[0].to_vec()
    }

    /// Sends a `GET` and returns the answer, head and body.
    pub(crate) fn get(&mut self, path: &str) -> String {
        self.send("GET", path, "https://localhost")
    }

    /// Sends a request of a page and returns the answer, head and body.
    pub(crate) fn send(&mut self, method: &str, path: &str, origin: &str) -> String {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n\r\n");
        self.stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        let mut bytes = [0; 4096];
        loop {
            let count = self.stream.read(&mut bytes).unwrap();
            assert!(count > 0, "cut off: {answer}");
            answer.push_str(str::from_utf8(&bytes[..count]).unwrap());
            if let Some((head, body)) = answer.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                if body.len() == length.expect("a length").parse::<usize>().unwrap() {
                    return answer;
                }
            }
        }
    }
}
