//! TLS to the clients of a service: its certificate, and a client that asks a service of this machine.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, ServerConfig, SignatureScheme,
    StreamOwned,
};

use super::{Unusable, certificates, private_key, unusable};

/// The setting that names the file of the certificate.
pub const CERTIFICATE_KEY: &str = "TLS_CERT_FILE";
/// The setting that names the file of its private key.
pub const PRIVATE_KEY_KEY: &str = "TLS_KEY_FILE";

/// The one version of HTTP that the services speak.
const HTTP: &[u8] = b"http/1.1";

/// How to serve with a certificate, its chain and its private key, all in PEM.
///
/// # Errors
/// What is wrong with the first that cannot be used; never what it contains.
pub fn server_config(certificate: &[u8], key: &[u8]) -> Result<ServerConfig, Unusable> {
    let chain = certificates(CERTIFICATE_KEY, certificate)?;
    let key = private_key(PRIVATE_KEY_KEY, key)?;
    let failed = |error| unusable((CERTIFICATE_KEY, PRIVATE_KEY_KEY), &error);
    let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(failed)?;
    config.alpn_protocols = vec![HTTP.to_vec()];
    Ok(config)
}

/// Speaks TLS to a service of this machine, whose certificate is for other names, and is taken whatever it is: only
/// a status is asked for, and nothing secret is sent.
///
/// # Errors
/// When there is no such connection.
pub fn ask_this_machine(stream: TcpStream) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let name = ServerName::from(stream.peer_addr()?.ip());
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

/// Takes every certificate, if the server has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.0.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use testkit::certificates::{Authority, Validity};

    use super::*;

    #[test]
    fn what_cannot_be_used_is_named_by_its_setting() {
        let authority = Authority::new("CA");
        let files = |name| {
            let files = authority.server(&[name], Validity::Valid);
            files.paths().map(|path| fs::read(path).unwrap())
        };
        let [certificate, key] = files("a.example");
        let [_, other_key] = files("b.example");
        assert!(server_config(&certificate, &key).is_ok());
        for (certificate, key, setting, reason) in [
            (
                &certificate,
                &other_key,
                PRIVATE_KEY_KEY,
                "is not the key of",
            ),
            (&key, &key, CERTIFICATE_KEY, "holds no certificate"),
            (
                &certificate,
                &certificate,
                PRIVATE_KEY_KEY,
                "holds no private key",
            ),
        ] {
            let (named, said) = server_config(certificate, key).err().unwrap();
            assert_eq!(named, setting);
            assert!(said.starts_with(reason), "{said}");
        }
    }
}
