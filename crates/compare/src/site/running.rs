//! Services that run already.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::error::{Error, Result};
use crate::pattern::Pattern;
use crate::service_client::ServiceClient;
use crate::service_url;

/// How long a service may take to say whether it is ready.
const WAIT_TIMEOUT: Duration = Duration::from_secs(15);

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
    service_url::check(url)?;
    let silent = |why: String| Error::Failed(format!("nothing answers at {url}: {why}"));
    let address = service_url::reachable(url)
        .await
        .map_err(|why| silent(why.to_string()))?;
    let mut client = ServiceClient::new(address, WAIT_TIMEOUT);
    let reply = client.get("/readyz").await.map_err(silent)?;
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
