//! An engine that refuses reads and writes while its process must not serve.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::admission::Admission;
use crate::engine::{Engine, Health, Outcome, Read};
use crate::error::Result;
use crate::record::{Key, Write};
use crate::store::Page;
use crate::version::Version;

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
    async fn read(&self, key: &Key) -> Result<Read> {
        self.admission.check()?;
        self.engine.read(key).await
    }

    async fn reload(&self, key: &Key) -> Result<Read> {
        self.admission.check()?;
        self.engine.reload(key).await
    }

    async fn forget(&self, key: &Key) -> Result<()> {
        self.engine.forget(key).await
    }

    async fn forget_all(&self) -> Result<()> {
        self.engine.forget_all().await
    }

    async fn write(&self, write: Write) -> Result<Outcome> {
        self.admission.check()?;
        self.engine.write(write).await
    }

    async fn persisted(&self, key: &Key, version: Version, timeout: Duration) -> Result<()> {
        self.engine.persisted(key, version, timeout).await
    }

    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Page> {
        self.admission.check()?;
        self.engine.page(after, limit).await
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
