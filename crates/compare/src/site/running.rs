//! Services that run already.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::error::{Error, Result};
use crate::pattern::Pattern;
use crate::service_client::ServiceClient;

/// How long a service may take to say whether it is ready.
const PATIENCE: Duration = Duration::from_secs(15);

/// What `/readyz` says, as far as it matters here.
#[derive(Deserialize)]
struct Readiness {
    service: String,
    status: String,
}

/// Checks that the service of that pattern runs there and is ready. Returns its address.
///
/// # Errors
/// When it does not, or is not.
pub(super) async fn check(pattern: Pattern, url: &Url) -> Result<SocketAddr> {
    let address = resolve(url).await?;
    let mut client = ServiceClient::new(address, PATIENCE);
    let reply = client
        .get("/readyz")
        .await
        .map_err(|why| Error::Failed(format!("nothing answers at {url}: {why}")))?;
    let Ok(readiness) = serde_json::from_slice::<Readiness>(&reply.body) else {
        return Err(Error::Failed(format!(
            "what answers at {url} is no {}: it has no /readyz that says so",
            pattern.service()
        )));
    };
    if readiness.service != pattern.name() {
        return Err(Error::Failed(format!(
            "the service at {url} is {}, not {}",
            readiness.service,
            pattern.name()
        )));
    }
    if !reply.status.is_success() {
        return Err(Error::Failed(format!(
            "{} at {url} is {}: {}readyz says what it lacks",
            pattern.service(),
            readiness.status,
            url
        )));
    }
    Ok(address)
}

async fn resolve(url: &Url) -> Result<SocketAddr> {
    let (Some(host), Some(port), "http") =
        (url.host_str(), url.port_or_known_default(), url.scheme())
    else {
        return Err(Error::Usage(format!("{url} is not http://HOST:PORT")));
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map_err(|why| Error::failed(format!("looking up {host}"), why))?;
    let mut found: Vec<SocketAddr> = found.collect();
    // A service on 127.0.0.1 is not on ::1, which `localhost` may come first as.
    found.sort_by_key(SocketAddr::is_ipv6);
    found
        .into_iter()
        .next()
        .ok_or_else(|| Error::Failed(format!("{host} has no address")))
}
