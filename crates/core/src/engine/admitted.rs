//! An engine that refuses reads and writes while its process must not serve.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{BoxFuture, ready};

use crate::engine::{Engine, Health, Outcome, Read};
use crate::error::Result;
use crate::model::record::{Key, Write};
use crate::model::version::Version;
use crate::outage::admission::Admission;
use crate::store::Page;

/// Refuses reads and writes while there is a reason. Acknowledged writes are still drained.
#[derive(Debug)]
pub struct Admitted {
    engine: Arc<dyn Engine>,
    admission: Arc<Admission>,
}

impl Admitted {
    /// `engine`, as far as `admission` lets it.
    pub fn new(engine: Arc<dyn Engine>, admission: Arc<Admission>) -> Admitted {
        Admitted { engine, admission }
    }
}

#[async_trait]
impl Engine for Admitted {
    // Not `async`, as `write`: the engine's future is passed on, and not put into another one.
    fn read<'s, 'k, 'f>(&'s self, key: &'k Key) -> BoxFuture<'f, Result<Read>>
    where
        's: 'f,
        'k: 'f,
        Self: 'f,
    {
        match self.admission.check() {
            Ok(()) => self.engine.read(key),
            Err(refused) => Box::pin(ready(Err(refused))),
        }
    }

    async fn reload(&self, key: &Key) -> Result<Read> {
        self.admission.check()?;
        self.engine.reload(key).await
    }

    async fn read_many(&self, keys: &[Key]) -> Vec<Result<Read>> {
        match self.admission.check() {
            Ok(()) => self.engine.read_many(keys).await,
            Err(refused) => vec![Err(refused); keys.len()],
        }
    }

    async fn reload_many(&self, keys: &[Key]) -> Vec<Result<Read>> {
        match self.admission.check() {
            Ok(()) => self.engine.reload_many(keys).await,
            Err(refused) => vec![Err(refused); keys.len()],
        }
    }

    async fn forget(&self, key: &Key) -> Result<()> {
        self.engine.forget(key).await
    }

    async fn forget_all(&self) -> Result<()> {
        self.engine.forget_all().await
    }

    fn write<'s, 'f>(&'s self, write: Write) -> BoxFuture<'f, Result<Outcome>>
    where
        's: 'f,
        Self: 'f,
    {
        match self.admission.check() {
            Ok(()) => self.engine.write(write),
            Err(refused) => Box::pin(ready(Err(refused))),
        }
    }

    async fn put_many(&self, values: Vec<(Key, Bytes)>) -> Vec<Result<Outcome>> {
        match self.admission.check() {
            Ok(()) => self.engine.put_many(values).await,
            Err(refused) => vec![Err(refused); values.len()],
        }
    }

    fn keeps_order(&self) -> bool {
        self.engine.keeps_order()
    }

    async fn persisted_many(
        &self,
        written: &[(Key, Version)],
        timeout: Duration,
    ) -> Vec<Result<()>> {
        self.engine.persisted_many(written, timeout).await
    }

    async fn persisted(&self, key: &Key, version: Version, timeout: Duration) -> Result<()> {
        self.engine.persisted(key, version, timeout).await
    }

    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Page> {
        self.admission.check()?;
        self.engine.page(after, limit).await
    }

    async fn waiting(&self) -> Option<u64> {
        self.engine.waiting().await
    }

    async fn health(&self) -> Health {
        let mut health = self.engine.health().await;
        if let Some(problem) = self.admission.problem() {
            health.cache.up = false;
            health.cache.problem = Some(problem.into());
            health.bypass = crate::engine::Bypass::Never;
        }
        health
    }

    async fn observe(&self) {
        self.engine.observe().await;
    }

    async fn stop(&self, deadline: Duration) {
        self.engine.stop(deadline).await;
    }
}
