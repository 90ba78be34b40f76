//! Asking a service for one name after the other.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use hyper::StatusCode;
use hyper::header::ETAG;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::{Error, Result};
use crate::kept::{Kept, Row};
use crate::service_client::{Reply, ServiceClient};

/// Connections, each with one request at a time.
const CONNECTIONS: usize = 16;
/// How long an answer may take.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// What the service answers of each name.
///
/// # Errors
/// When one is not answered, or neither with a record nor with `404`.
pub(super) async fn rows(service: SocketAddr, names: &[String]) -> Result<Vec<Row>> {
    let share = names.len().div_ceil(CONNECTIONS).max(1);
    let shares = stream::iter(names.chunks(share));
    let read: Vec<Result<Vec<Row>>> = shares
        .map(|names| rows_of(service, names))
        .buffer_unordered(CONNECTIONS)
        .collect()
        .await;
    let read = read.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(read.concat())
}

async fn rows_of(service: SocketAddr, names: &[String]) -> Result<Vec<Row>> {
    let mut client = ServiceClient::new(service, WAIT_TIMEOUT);
    let mut rows = Vec::with_capacity(names.len());
    for name in names {
        let reply = client.get(&path(name)).await;
        let kept = reply.and_then(|reply| kept_in(&reply));
        rows.push(Row {
            name: name.clone(),
            kept: kept.map_err(|why| Error::failed("reading what the service has", why))?,
        });
    }
    Ok(rows)
}

/// With all of the name but letters and digits percent-encoded.
fn path(name: &str) -> String {
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    format!("/users/{name}")
}

fn kept_in(reply: &Reply) -> std::result::Result<Kept, String> {
    match reply.status {
        StatusCode::NOT_FOUND => Ok(Kept {
            version: None,
            user: None,
        }),
        StatusCode::OK => {
            let version = reply.headers.get(ETAG).and_then(|tag| tag.to_str().ok());
            let version = version.and_then(|tag| tag.trim_matches('"').parse().ok());
            let user = serde_json::from_slice(&reply.body);
            Ok(Kept {
                version: Some(version.ok_or("a record has no version")?),
                user: Some(user.map_err(|why| format!("a record cannot be read: {why}"))?),
            })
        }
        status => Err(format!("a read is answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_of_the_path_whatever_it_is() {
        assert_eq!(path("a-1/é"), "/users/a%2D1%2F%C3%A9");
    }
}
