//! Where the Redis is that serves: the one that the settings name, or the primary that Sentinels name.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::{Error, Part, Result};
use crate::redis::endpoint::Endpoint;
use crate::redis::sentinel::Sentinels;
use crate::settings::{RedisAddress, SentinelUrl};

/// Finds the server to connect to.
#[derive(Clone)]
pub(super) enum Finder {
    /// The server of the settings, and how often its connections were to be opened again.
    Fixed(Box<Endpoint>, Arc<AtomicU64>),
    /// The primary that Sentinels watch.
    Sentinels(Arc<Sentinels>),
}

impl Finder {
    /// Nothing is asked yet. `moved` grows when the Sentinels name another primary.
    ///
    /// # Errors
    /// [`Error::BadSetting`] when the driver does not take the URL.
    pub(super) fn new(
        address: RedisAddress,
        timeout: Duration,
        moved: Arc<AtomicU64>,
    ) -> Result<Finder> {
        let url = SentinelUrl::parse(address.address.url.expose()).map_err(|reason| {
            Error::BadSetting {
                key: "CACHE_URL",
                reason: reason.into(),
            }
        })?;
        Ok(match url {
            None => Finder::Fixed(Box::new(Endpoint::new(address.address)?), moved),
            Some(url) => Finder::Sentinels(Sentinels::new(url, address, timeout, moved)?),
        })
    }

    /// The server to connect to now, and how often another one was to be used until now.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no Sentinel answers, or none knows the primary.
    pub(super) async fn find(&self, part: Part) -> Result<(Endpoint, u64)> {
        match self {
            Finder::Fixed(endpoint, moved) => {
                let moved = moved.load(Ordering::Acquire);
                Ok((Endpoint::clone(endpoint), moved))
            }
            Finder::Sentinels(sentinels) => sentinels.find(part).await,
        }
    }

    /// The server that was found last. One that no Sentinel has named yet cannot be reached.
    pub(super) fn last(&self) -> Endpoint {
        match self {
            Finder::Fixed(endpoint, _) => Endpoint::clone(endpoint),
            Finder::Sentinels(sentinels) => sentinels.last(),
        }
    }

    /// `HOST:PORT` of each replica that Sentinels may promote without having heard of it from the primary. None where
    /// there are no Sentinels: an operator who promotes one ends the other first.
    pub(super) fn promotable(&self) -> Vec<String> {
        match self {
            Finder::Fixed(..) => Vec::new(),
            Finder::Sentinels(sentinels) => sentinels.promotable(),
        }
    }

    /// Whether another server may take over at any time, while this one still answers.
    pub(super) fn may_change(&self) -> bool {
        matches!(self, Finder::Sentinels(_))
    }

    /// What the settings name, without credentials.
    pub(super) fn url(&self) -> String {
        match self {
            Finder::Fixed(endpoint, _) => endpoint.url().to_string(),
            Finder::Sentinels(sentinels) => sentinels.url().to_string(),
        }
    }

    /// The same without the number of the database: host and port, the path of a socket, or the Sentinels and their name
    /// of the primary. It stays the same over a failover.
    pub(super) fn address(&self) -> String {
        match self {
            Finder::Fixed(endpoint, _) => endpoint.address(),
            Finder::Sentinels(sentinels) => sentinels.address(),
        }
    }
}
