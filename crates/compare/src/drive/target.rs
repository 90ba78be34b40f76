//! Whom requests are sent to.

use std::net::SocketAddr;

use hyper::header::HeaderValue;
use url::Url;

use crate::error::{Error, Result};
use crate::pattern::Pattern;
use crate::service_url;

/// So that a name with its number and a hyphen is one that a record may have.
const PREFIX_CHARS_MAX: usize = 200;

/// A service, and the names that are its own.
#[derive(Clone, Debug)]
pub struct Target {
    pub(super) address: SocketAddr,
    /// What the `Host` header says.
    pub(super) host: HeaderValue,
    pub(super) pattern: Pattern,
    pub(super) prefix: String,
}

impl Target {
    /// The service at `http://host:port`, and names that begin with `prefix` and a hyphen.
    ///
    /// # Errors
    /// [`Error::Usage`] where the URL is of something else, or the prefix has anything but ASCII
    /// letters, digits, hyphens and underscores. [`Error::Failed`] where no address accepts a
    /// connection.
    pub async fn find(pattern: Pattern, url: &Url, prefix: &str) -> Result<Target> {
        service_url::check(url)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if prefix.is_empty() || prefix.len() > PREFIX_CHARS_MAX || !prefix.bytes().all(plain) {
            return Err(Error::Usage(format!(
                "the prefix of names {prefix:?} must have 1 to {PREFIX_CHARS_MAX} ASCII letters, \
                 digits, hyphens and underscores"
            )));
        }
        let host = HeaderValue::try_from(service_url::authority(url)?)
            .map_err(|error| Error::Usage(format!("{url}: {error}")))?;
        Ok(Target {
            address: service_url::reachable(url).await?,
            host,
            pattern,
            prefix: prefix.to_owned(),
        })
    }

    /// The service that is known to listen at an address.
    ///
    /// # Errors
    /// As [`Target::find`].
    pub async fn at(pattern: Pattern, address: SocketAddr, prefix: &str) -> Result<Target> {
        let url = Url::parse(&format!("http://{address}"));
        let url = url.map_err(|why| Error::failed(address, why))?;
        Target::find(pattern, &url, prefix).await
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
