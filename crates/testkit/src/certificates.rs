//! A private certificate authority of a test's own, and what it signs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

/// A public private key, which only tests trust. The one library here that makes keys makes no RSA
/// keys, and the driver of MySQL shows no other.
const CLIENT_KEY: &[u8] = include_bytes!("certificates/client_rsa_key.der");

/// Whether a certificate may be used today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// For many years.
    Valid,
    /// Since long ago no more.
    Expired,
}

/// A certificate and its private key, each in a PEM file.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// The private key, as PKCS #8 has it.
    pub key: PathBuf,
}

impl CertificateFiles {
    /// The paths, for options and settings.
    pub fn paths(&self) -> [&str; 2] {
        [&self.certificate, &self.key].map(|path| text(path))
    }

    /// Puts copies of both in place of others, which a server reads when it is told to.
    pub fn copy_over(&self, others: &CertificateFiles) {
        fs::copy(&self.certificate, &others.certificate).expect("a copy of a certificate");
        fs::copy(&self.key, &others.key).expect("a copy of a key");
    }
}

/// An authority. Dropping it removes all files of its certificates.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
    ca: PathBuf,
    next: AtomicU32,
}

impl Authority {
    /// A new one, which only those trust who are given [`Authority::ca_file`].
    pub fn new(name: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut params = params(&[], name, Validity::Valid);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let ca = folder.path().join("ca.pem");
        fs::write(&ca, issuer.pem()).expect("a file in the temporary folder");
        Authority {
            folder,
            issuer,
            ca,
            next: AtomicU32::new(1),
        }
    }

    /// The path of its own certificate.
    pub fn ca_file(&self) -> &str {
        text(&self.ca)
    }

    /// A certificate for a server that has these names or addresses.
    pub fn server(&self, names: &[&str], validity: Validity) -> CertificateFiles {
        let mut params = params(names, "server", validity);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params, KeyPair::generate().expect("a key"))
    }

    /// A certificate for a client, with an RSA key.
    pub fn client(&self, name: &str) -> CertificateFiles {
        let mut params = params(&[], name, Validity::Valid);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(
            params,
            KeyPair::try_from(CLIENT_KEY).expect("the tests' key"),
        )
    }

    fn sign(&self, params: CertificateParams, key: KeyPair) -> CertificateFiles {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        let file = |kind: &str| self.folder.path().join(format!("{number}.{kind}.pem"));
        let files = CertificateFiles {
            certificate: file("cert"),
            key: file("key"),
        };
        fs::write(&files.certificate, signed.pem()).expect("a file in the temporary folder");
        fs::write(&files.key, key.serialize_pem()).expect("a file in the temporary folder");
        files
    }
}

fn params(names: &[&str], common_name: &str, validity: Validity) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names for a certificate");
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = match validity {
        Validity::Valid => date_time_ymd(2101, 1, 1),
        Validity::Expired => date_time_ymd(2002, 1, 1),
    };
    params
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is UTF-8")
}
