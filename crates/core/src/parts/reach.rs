//! Reaching the Redis of the settings at a start, and checking that its kind and its configuration
//! are right. Nothing is written there.

use std::sync::Arc;

use tokio::time::Instant;

use crate::error::{Error, Part, Result};
use crate::journal::redis_stream::RedisStreamJournal;
use crate::model::dataset::Dataset;
use crate::process::startup;
use crate::redis::Redis;
use crate::settings::{Address, CacheUrl, RedisAddress, Service, Settings};
use crate::timing;

use super::{has_journal_in_redis, may_bypass, wait_for};

/// A Redis, and whether it answered.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) redis: Arc<Redis>,
    pub(super) is_there: bool,
}

/// The Redis of the settings, if they name one. It may be unavailable if the service can do
/// without it.
pub(super) async fn reach(
    settings: &Settings,
    dataset: &Dataset,
    deadline: Instant,
) -> Result<Option<Reached>> {
    let Some(redis) = unconnected(settings, dataset)? else {
        return Ok(None);
    };
    let is_there = match suited(settings, &redis, deadline).await {
        // IMPORTANT: not a lasting failure. When one process bypasses Redis, all do, so a wrong
        // certificate in one would cost all of them the cache.
        Err(Error::Unavailable { lasting: false, .. }) if may_bypass(settings) => false,
        answer => answer.map(|()| true)?,
    };
    Ok(Some(Reached { redis, is_there }))
}

/// The same for a subcommand, which cannot do without Redis.
pub(crate) async fn open_redis(
    settings: &Settings,
    dataset: &Dataset,
    deadline: Instant,
) -> Result<Option<Arc<Redis>>> {
    let Some(redis) = unconnected(settings, dataset)? else {
        return Ok(None);
    };
    startup::within(deadline, |by| answers_by(by, &redis)).await?;
    startup::within(deadline, |by| redis.is_primary(by)).await?;
    Ok(Some(redis))
}

pub(super) fn unconnected(settings: &Settings, dataset: &Dataset) -> Result<Option<Arc<Redis>>> {
    let CacheUrl::Redis(url) = &settings.cache else {
        return Ok(None);
    };
    let address = RedisAddress {
        address: Address {
            url: url.clone(),
            tls: settings.cache_tls.clone(),
        },
        sentinels: settings.sentinels.clone(),
    };
    Redis::unconnected(address, settings.redis_timeout, dataset).map(Some)
}

async fn suited(settings: &Settings, redis: &Redis, deadline: Instant) -> Result<()> {
    match may_bypass(settings) {
        // IMPORTANT: an attempt ends by its own timeout, not by this one: only then is it checked
        // whether the server speaks TLS at all.
        true => {
            let deadline = deadline.min(Instant::now() + timing::REDIS_START_TIMEOUT);
            startup::within(deadline, |_| redis.answers()).await?;
        }
        false => startup::within(deadline, |by| answers_by(by, redis)).await?,
    }
    startup::within(deadline, |by| redis.is_primary(by)).await?;
    if has_journal_in_redis(settings) {
        let wait_for = wait_for(settings);
        startup::within(deadline, |_| RedisStreamJournal::check(redis, wait_for)).await?;
    }
    if settings.service == Service::WriteThrough {
        startup::within(deadline, |_| redis.keeps_doubts()).await?;
    }
    Ok(())
}

async fn answers_by(deadline: Instant, redis: &Redis) -> Result<()> {
    startup::until(deadline, Part::Cache, redis.answers()).await
}
