//! A collector that speaks TLS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto};
use testkit::certificates::{Authority, CertificateFiles, Validity};
use testkit::parts::Parts;
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::collector::Collector;
use crate::site::{put, spans_of_write, start, trace_id};

/// The collector's end of TLS.
#[derive(Clone, Debug)]
pub(crate) struct Tls(Arc<ServerConfig>);

impl Tls {
    pub(crate) fn new(files: &CertificateFiles) -> Tls {
        let chain = vec![CertificateDer::from_pem_file(&files.certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
        let config = ServerConfig::builder_with_provider(crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Tls(Arc::new(config))
    }

    pub(crate) fn accept(&self, stream: TcpStream) -> impl Read + Write + Send + use<> {
        StreamOwned::new(ServerConnection::new(self.0.clone()).unwrap(), stream)
    }
}

#[test]
fn a_collector_with_a_trusted_certificate_takes_traces() {
    let (trusted, other) = (Authority::new("trusted"), Authority::new("other"));
    let certificate = trusted.server(&["localhost"], Validity::Valid);
    for service in Service::all() {
        let collector = Collector::start_secure(&certificate);
        let url = format!("https://localhost:{}", collector.address().port());
        let combination = (service, Parts::Embedded);
        let trusting = start(combination, &url, &[("SSL_CERT_FILE", trusted.ca_file())]);
        put(&trusting.client(), "a", &trace_id(1));
        collector.wait_for(&trace_id(1), spans_of_write(service));

        let other = start(combination, &url, &[("SSL_CERT_FILE", other.ca_file())]);
        put(&other.client(), "a", &trace_id(2));
        wait_until("the certificate is refused", || {
            other.logs().contains("invalid peer certificate")
        });
        assert!(collector.trace(&trace_id(2)).is_empty());
    }
}
