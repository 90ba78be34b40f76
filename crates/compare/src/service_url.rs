//! Where a service is.

use std::net::SocketAddr;

use tokio::net::{TcpStream, lookup_host};
use url::Url;

use crate::error::{Error, Result};

/// The URL in a text.
///
/// # Errors
/// As [`check`], and where it is no URL at all.
pub(crate) fn parse(text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|why| Error::Usage(format!("not a URL: {why}")))?;
    check(&url)?;
    Ok(url)
}

/// Checks that it is `http://HOST:PORT` and nothing else.
///
/// # Errors
/// [`Error::Usage`] with a sentence, in which nothing of the URL is repeated: there may be a
/// password in it.
pub(crate) fn check(url: &Url) -> Result<()> {
    let refused = |why: &str| Err(Error::Usage(format!("a service's URL {why}")));
    if url.scheme() != "http" || !url.has_host() {
        return refused("must be http://HOST:PORT: services are driven by plain HTTP");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused(
            "must be http://HOST:PORT, without user and password: services ask for none",
        );
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return refused("must be http://HOST:PORT, without a path, a query or a fragment");
    }
    Ok(())
}

/// Returns the first address of the host that accepts a connection, IPv4 before IPv6.
///
/// # Errors
/// As [`check`], and [`Error::Failed`] where no address accepts a connection.
pub(crate) async fn reachable(url: &Url) -> Result<SocketAddr> {
    check(url)?;
    let authority = authority(url)?;
    let connecting = format!("connecting to {authority}");
    let mut last = Error::failed(&connecting, "the host has no address");
    let found = lookup_host(&authority).await;
    let mut found: Vec<SocketAddr> = found
        .map_err(|error| Error::failed(&connecting, error))?
        .collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    for address in found {
        match TcpStream::connect(address).await {
            Ok(_) => return Ok(address),
            Err(error) => last = Error::failed(&connecting, error),
        }
    }
    Err(last)
}

/// `host:port`, the port also where it is the usual one.
///
/// # Errors
/// [`Error::Usage`] where there is none.
pub(crate) fn authority(url: &Url) -> Result<String> {
    match (url.host_str(), url.port_or_known_default()) {
        (Some(host), Some(port)) => Ok(format!("{host}:{port}")),
        _ => Err(Error::Usage(
            "a service's URL must be http://HOST:PORT".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_and_a_port_are_taken_and_nothing_of_another_url_is_repeated() {
        for taken in ["http://localhost", "http://h:1/", "http://[::1]:8080"] {
            check(&Url::parse(taken).unwrap()).unwrap();
        }
        for (refused, says) in [
            ("https://hidden:1", "plain HTTP"),
            ("hidden:1", "plain HTTP"),
            ("http://me:hidden@h:1", "without user"),
            ("http://hidden@h:1", "without user"),
            ("http://:hidden@h:1", "without user"),
            ("http://h:1/hidden", "without a path"),
            ("http://h:1/?hidden", "without a path"),
            ("http://h:1/#hidden", "without a path"),
        ] {
            let error = check(&Url::parse(refused).unwrap()).unwrap_err();
            assert!(matches!(error, Error::Usage(_)), "{refused}: {error:?}");
            let sentence = error.to_string();
            assert!(sentence.contains(says), "{refused}: {sentence}");
            assert!(!sentence.contains("hidden"), "{refused}: {sentence}");
        }
    }

    #[tokio::test]
    async fn the_address_that_accepts_a_connection_is_taken() {
        for listens in ["127.0.0.1:0", "[::1]:0"] {
            // Not every machine has IPv6, or calls it localhost, too.
            let Ok(listener) = tokio::net::TcpListener::bind(listens).await else {
                continue;
            };
            let address = listener.local_addr().unwrap();
            let names = lookup_host(("localhost", address.port())).await.unwrap();
            if !names.into_iter().any(|name| name == address) {
                continue;
            }
            let url = Url::parse(&format!("http://localhost:{}", address.port())).unwrap();
            assert_eq!(reachable(&url).await.unwrap(), address);
        }
    }
}
