//! Whom requests are sent to.

use std::net::SocketAddr;

use hyper::header::HeaderValue;
use tokio::net::{TcpStream, lookup_host};
use url::Url;

use crate::error::{Error, Result};
use crate::pattern::Pattern;

/// So that a name with its number and a hyphen is one that a record may have.
const PREFIX_CHARS_MAX: usize = 200;

/// A service, and the names that are its own.
#[derive(Clone, Debug)]
pub struct Target {
    pub(super) address: SocketAddr,
    /// What the `Host` header says.
    pub(super) host: HeaderValue,
    /// What comes before the service's own paths; without a slash at its end.
    pub(super) base_path: String,
    pub(super) pattern: Pattern,
    pub(super) prefix: String,
}

impl Target {
    /// The service at `http://host:port`, and names that begin with `prefix` and a hyphen. Of the
    /// addresses of the host the first is taken that accepts a connection.
    ///
    /// # Errors
    /// [`Error::Usage`] where the URL is not one of HTTP, or the prefix has anything but ASCII
    /// letters, digits, hyphens and underscores. [`Error::Failed`] where nobody can be reached.
    pub async fn find(pattern: Pattern, url: &Url, prefix: &str) -> Result<Target> {
        if url.scheme() != "http" {
            return Err(Error::Usage(format!(
                "{url}: services are driven by plain HTTP; give an URL that begins with http://"
            )));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(Error::Usage(format!("{url}: there is no host in it")));
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if prefix.is_empty() || prefix.len() > PREFIX_CHARS_MAX || !prefix.bytes().all(plain) {
            return Err(Error::Usage(format!(
                "the prefix of names {prefix:?} must have 1 to {PREFIX_CHARS_MAX} ASCII letters, \
                 digits, hyphens and underscores"
            )));
        }
        let authority = format!("{host}:{port}");
        let host = HeaderValue::try_from(&authority)
            .map_err(|error| Error::Usage(format!("{url}: {error}")))?;
        Ok(Target {
            address: reachable(&authority).await?,
            host,
            base_path: url.path().trim_end_matches('/').to_owned(),
            pattern,
            prefix: prefix.to_owned(),
        })
    }

    /// Which pattern the service follows.
    pub fn pattern(&self) -> Pattern {
        self.pattern
    }

    /// What the names begin with, without the hyphen.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// The first address of `host:port` that accepts a connection.
async fn reachable(authority: &str) -> Result<SocketAddr> {
    let connecting = format!("connecting to {authority}");
    let mut last = Error::failed(&connecting, "the host has no address");
    let addresses = lookup_host(authority)
        .await
        .map_err(|error| Error::failed(&connecting, error))?;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(_) => return Ok(address),
            Err(error) => last = Error::failed(&connecting, error),
        }
    }
    Err(last)
}
