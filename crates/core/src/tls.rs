//! TLS to Redis and the database: the CAs that this process trusts, its client certificate,
//! and what a failed handshake means.

pub mod public;
pub mod server;

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, InconsistentKeys, RootCertStore, crypto,
};
use tokio::sync::watch;

/// The names of the settings that one server's files are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsKeys {
    /// CA certificates.
    pub ca: &'static str,
    /// The client's certificate and what leads from it to its CA.
    pub certificate: &'static str,
    /// The private key of that.
    pub key: &'static str,
}

/// Those of the cache.
pub const CACHE_KEYS: TlsKeys = TlsKeys {
    ca: "CACHE_CA_FILE",
    certificate: "CACHE_CERT_FILE",
    key: "CACHE_KEY_FILE",
};
/// Those of the database.
pub const DATABASE_KEYS: TlsKeys = TlsKeys {
    ca: "DATABASE_CA_FILE",
    certificate: "DATABASE_CERT_FILE",
    key: "DATABASE_KEY_FILE",
};

/// Which CAs to trust instead of the public ones, and the certificate of this process. By
/// default the public CAs, and no certificate.
#[derive(Clone, Default)]
pub struct Tls {
    ca: Option<Arc<[u8]>>,
    identity: Option<Arc<Identity>>,
    /// The files that these came from, each with its setting.
    files: Arc<[(&'static str, PathBuf)]>,
    /// What the files have held since, where they are read again.
    newest: Option<watch::Receiver<Arc<Tls>>>,
}

/// A client certificate with its chain, and its private key.
pub struct Identity {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (ca, identity) = (self.ca.is_some(), self.identity.is_some());
        write!(formatter, "Tls {{ ca: {ca}, identity: {identity} }}")
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Identity")
    }
}

impl Identity {
    /// The certificates in PEM.
    pub fn certificate_pem(&self) -> &[u8] {
        &self.certificate
    }

    /// The private key in PEM.
    pub fn key_pem(&self) -> &[u8] {
        &self.key
    }

    /// The private key as PKCS #1 has it, if it is an RSA key: also out of PKCS #8, as
    /// most tools write it today.
    pub fn rsa_key_der(&self) -> Option<Vec<u8>> {
        match PrivateKeyDer::from_pem_slice(&self.key).ok()? {
            PrivateKeyDer::Pkcs1(key) => Some(key.secret_pkcs1_der().to_vec()),
            PrivateKeyDer::Pkcs8(key) => rsa_key_inside(key.secret_pkcs8_der()).map(<[u8]>::to_vec),
            _ => None,
        }
    }
}

/// `rsaEncryption`.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

fn rsa_key_inside(pkcs8: &[u8]) -> Option<&[u8]> {
    let info = PrivateKeyInfoRef::try_from(pkcs8).ok()?;
    (info.algorithm.oid == RSA).then_some(info.private_key.as_bytes())
}

/// What is wrong with one of the files, and the setting that names it.
pub type Unusable = (&'static str, String);

impl Tls {
    /// Checks the contents of the files, all in PEM: CA certificates, and a client
    /// certificate with its key.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be used; never what it contains.
    pub(crate) fn new(
        keys: TlsKeys,
        ca: Option<Vec<u8>>,
        identity: Option<(Vec<u8>, Vec<u8>)>,
    ) -> Result<Tls, Unusable> {
        let mut roots = RootCertStore::empty();
        if let Some(ca) = &ca {
            for certificate in certificates(keys.ca, ca)? {
                roots.add(certificate).map_err(|_| {
                    (
                        keys.ca,
                        "holds a certificate that cannot be read".to_owned(),
                    )
                })?;
            }
        }
        if let Some((certificate, key)) = &identity {
            may_be_shown(keys, roots, certificate, key)?;
        }
        Ok(Tls {
            ca: ca.map(Arc::from),
            identity: identity.map(|(certificate, key)| Arc::new(Identity { certificate, key })),
            ..Tls::default()
        })
    }

    /// The same, which came from these files: CA, certificate and key, as far as there are any.
    pub(crate) fn of_files(self, files: Vec<(&'static str, PathBuf)>) -> Tls {
        Tls {
            files: files.into(),
            ..self
        }
    }

    /// The files that this came from.
    pub(crate) fn files(&self) -> &[(&'static str, PathBuf)] {
        &self.files
    }

    /// What the same files hold, from their contents.
    ///
    /// # Errors
    /// As [`Tls::new`].
    pub(crate) fn read_again(&self, keys: TlsKeys, contents: &[Vec<u8>]) -> Result<Tls, Unusable> {
        let of = |key| {
            let place = self.files.iter().position(|(setting, _)| *setting == key)?;
            contents.get(place).cloned()
        };
        Tls::new(keys, of(keys.ca), of(keys.certificate).zip(of(keys.key)))
    }

    /// The same, whose files are read again.
    pub(crate) fn followed(self, newest: watch::Receiver<Arc<Tls>>) -> Tls {
        Tls {
            newest: Some(newest),
            ..self
        }
    }

    /// What the files hold now, if that is another thing than at start.
    pub(crate) fn newer(&self) -> Option<Arc<Tls>> {
        let newest = self.newest.as_ref()?;
        let has_changed = newest.has_changed().unwrap_or(false);
        has_changed.then(|| newest.borrow().clone())
    }

    /// The CA certificates in PEM that alone are trusted, if some are given.
    pub fn ca_pem(&self) -> Option<&[u8]> {
        self.ca.as_deref()
    }

    /// The client certificate of this process, if it has one.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }

    /// Whether nothing is given.
    pub fn is_none(&self) -> bool {
        self.ca.is_none() && self.identity.is_none()
    }
}

fn certificates(key: &'static str, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(text).collect();
    match found {
        Ok(found) if found.is_empty() => Err((key, "holds no certificate in PEM".to_owned())),
        Ok(found) => Ok(found),
        Err(_) => Err((key, "is not valid PEM".to_owned())),
    }
}

/// Whether the certificate and the key belong together and are of a kind that
/// this program can use.
fn may_be_shown(
    keys: TlsKeys,
    roots: RootCertStore,
    certificate: &[u8],
    key: &[u8],
) -> Result<(), Unusable> {
    let chain = certificates(keys.certificate, certificate)?;
    let key = private_key(keys.key, key)?;
    let failed = |error| unusable((keys.certificate, keys.key), &error);
    ClientConfig::builder_with_provider(crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map(drop)
        .map_err(failed)
}

fn private_key(setting: &'static str, text: &[u8]) -> Result<PrivateKeyDer<'static>, Unusable> {
    PrivateKeyDer::from_pem_slice(text).map_err(|_| {
        let reason = "holds no private key in PEM that could be read without a password";
        (setting, reason.to_owned())
    })
}

/// Why a certificate and a key, in the files that these settings name, cannot be used.
fn unusable((certificate, key): (&'static str, &'static str), error: &rustls::Error) -> Unusable {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => (
            key,
            format!("is not the key of the certificate in {certificate}"),
        ),
        rustls::Error::InvalidCertificate(_) => {
            let reason = "holds a certificate that cannot be read";
            (certificate, reason.to_owned())
        }
        _ => (key, "is of a kind that is not supported".to_owned()),
    }
}

/// Has the drivers use the one implementation of the cryptography that is built
/// in, however many a dependency may bring along.
pub(crate) fn install_provider() {
    // Fails only when there is one already, which does as well.
    let _ = crypto::ring::default_provider().install_default();
}

/// The server at the other end of a connection, for what is said of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer<'a> {
    /// Such as `database`.
    pub(crate) part: &'a str,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) keys: TlsKeys,
    pub(crate) tls: &'a Tls,
}

impl Peer<'_> {
    /// Such as `the database at db.example:3306`.
    pub(crate) fn name(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.to_owned(),
        };
        format!("the {} at {host}:{}", self.part, self.port)
    }

    /// One sentence, if `error` is that the two sides did not come to terms on a
    /// secure connection: which no waiting mends.
    pub(crate) fn distrust(&self, error: &(dyn StdError + 'static)) -> Option<String> {
        let name = self.name();
        let (keys, shows) = (self.keys, self.tls.identity.is_some());
        Some(match tls_error(error)? {
            rustls::Error::InvalidCertificate(error) => {
                format!("the certificate of {name} {}", self.refused(error))
            }
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
                let TlsKeys {
                    certificate, key, ..
                } = keys;
                format!("{name} wants a client certificate: {certificate} and {key}")
            }
            rustls::Error::AlertReceived(
                alert @ (AlertDescription::InternalError | AlertDescription::UserCanceled),
            ) => {
                // Its own trouble, which may pass.
                tracing::debug!(?alert, "{name} ended the TLS handshake");
                return None;
            }
            rustls::Error::AlertReceived(alert) if shows && is_about_a_certificate(*alert) => {
                let file = keys.certificate;
                format!("{name} refuses the client certificate in {file}: {alert:?}")
            }
            // Before TLS 1.3 there is no word of its own for this.
            rustls::Error::AlertReceived(alert) if is_about_a_certificate(*alert) => {
                let TlsKeys {
                    certificate, key, ..
                } = keys;
                format!(
                    "{name} refuses a TLS connection ({alert:?}): it may want a client certificate, \
                     {certificate} and {key}"
                )
            }
            rustls::Error::AlertReceived(alert) => {
                format!("{name} refuses a TLS connection ({alert:?})")
            }
            rustls::Error::InvalidMessage(_) => format!("{name} does not speak TLS"),
            error @ (rustls::Error::PeerIncompatible(_)
            | rustls::Error::PeerMisbehaved(_)
            | rustls::Error::NoCertificatesPresented) => {
                format!("no secure connection to {name} is possible: {error}")
            }
            _ => return None,
        })
    }

    /// What is wrong with the server's certificate.
    fn refused(&self, error: &CertificateError) -> String {
        use CertificateError::{
            BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext,
            NotValidYet, NotValidYetContext, UnknownIssuer,
        };
        match error {
            // The signature is wrong where another CA has the name of the one that is trusted.
            UnknownIssuer | BadSignature => match self.tls.ca {
                Some(_) => format!("is not signed by a CA in {}", self.keys.ca),
                None => format!(
                    "is not signed by a public CA (a private one goes into {})",
                    self.keys.ca
                ),
            },
            NotValidForName | NotValidForNameContext { .. } => {
                format!("is not for the host name {}", self.host)
            }
            Expired | ExpiredContext { .. } => "has expired".to_owned(),
            NotValidYet | NotValidYetContext { .. } => "is not valid yet".to_owned(),
            other => format!("is refused: {other}"),
        }
    }
}

fn is_about_a_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
            | Alert::HandshakeFailure
    )
}

/// The error of TLS among the causes of `error`.
fn tls_error<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // What an io::Error wraps is not its source; that is the source of the source.
        if let Some(inside) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            return tls_error(inside);
        }
        // The Redis driver shares its causes.
        if let Some(shared) = error.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
            return tls_error(&**shared);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::certificates::Authority;

    fn peer(tls: &Tls) -> Peer<'_> {
        Peer {
            part: "database",
            host: "db.example",
            port: 3306,
            keys: DATABASE_KEYS,
            tls,
        }
    }

    #[test]
    fn an_error_of_tls_is_found_below_whatever_wraps_it() {
        let tls = Tls::default();
        let expired = || rustls::Error::InvalidCertificate(CertificateError::Expired);
        let io = || io::Error::new(io::ErrorKind::InvalidData, expired());
        let shared: Arc<dyn StdError + Send + Sync> = Arc::new(io());
        let nested = io::Error::other(io());
        let wrapped: [Box<dyn StdError>; 4] = [
            Box::new(expired()),
            Box::new(io()),
            Box::new(shared),
            Box::new(nested),
        ];
        for error in wrapped {
            assert_eq!(
                peer(&tls).distrust(&*error).as_deref(),
                Some("the certificate of the database at db.example:3306 has expired"),
                "{error:?}"
            );
        }
        let away = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(peer(&tls).distrust(&away), None);
    }

    #[test]
    fn what_is_said_names_the_file_that_decides() {
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let public = peer(&Tls::default()).distrust(&unknown).unwrap();
        assert!(public.contains("a public CA (a private one goes into DATABASE_CA_FILE)"));
        let private = Tls {
            ca: Some(Arc::from(*b"")),
            ..Tls::default()
        };
        let private = peer(&private).distrust(&unknown).unwrap();
        assert!(
            private.ends_with("is not signed by a CA in DATABASE_CA_FILE"),
            "{private}"
        );
        for alert in [
            AlertDescription::CertificateRequired,
            AlertDescription::HandshakeFailure,
        ] {
            let wanted = rustls::Error::AlertReceived(alert);
            let wanted = peer(&Tls::default()).distrust(&wanted).unwrap();
            assert!(
                wanted.ends_with("DATABASE_CERT_FILE and DATABASE_KEY_FILE"),
                "{wanted}"
            );
        }
    }

    #[test]
    fn a_key_that_is_cut_off_anywhere_is_none() {
        let authority = Authority::new("CA");
        let [_, key] = authority.client("a service").paths().map(str::to_owned);
        let PrivateKeyDer::Pkcs8(key) = PrivateKeyDer::from_pem_file(key).unwrap() else {
            panic!("the tests' key is in PKCS #8")
        };
        let key = key.secret_pkcs8_der();
        let inside = rsa_key_inside(key).unwrap();
        assert!(key.ends_with(inside) && inside.len() > 1000);
        for length in 0..key.len() {
            assert_eq!(rsa_key_inside(&key[..length]), None);
        }
    }

    #[test]
    fn an_ip_address_of_version_6_is_in_brackets() {
        let tls = Tls::default();
        let peer = Peer {
            host: "::1",
            ..peer(&tls)
        };
        assert_eq!(peer.name(), "the database at [::1]:3306");
    }
}
