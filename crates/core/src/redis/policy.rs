//! Whether the server may evict marks of doubt, which have no expiry: with a `maxmemory-policy`
//! of `allkeys-*`. A reader would cache what the database has before a write that is committed
//! later. An operator may change the policy while a service runs, so it is watched.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, Part, Result};
use crate::redis::{Configuration, Redis};
use crate::timing;

/// The reason in answers and in the log meanwhile.
pub(super) const EVICTS: &str =
    "its maxmemory-policy is allkeys-*, with which it may evict marks of writes under way";

impl Redis {
    /// Checks at a start that the server keeps marks of doubt.
    ///
    /// # Errors
    /// [`Error::BadSetting`] when it does not.
    pub(crate) async fn keeps_doubts(&self) -> Result<()> {
        let mut link = self.link(Part::Cache).await?;
        let configuration = Configuration::ask(&mut link).await?;
        if !configuration.may_evict_anything() {
            return Ok(());
        }
        let policy = configuration.eviction;
        let reason = format!(
            "this Redis has maxmemory-policy {policy}, which may evict marks of writes under way, so that \
             readers would be given older values; set it to noeviction, or to one of volatile-*"
        );
        Err(Error::BadSetting {
            key: "CACHE_URL",
            reason: reason.into(),
        })
    }

    /// Watches the policy until the returned value is dropped. While it is `allkeys-*`, the server counts as unavailable, to all
    /// links to it.
    ///
    /// # Errors
    /// When the driver does not take the URL.
    pub(crate) fn watch_policy(&self) -> Result<AbortOnDropHandle<()>> {
        let place = self.place.clone();
        // A link that is not refused.
        let asking = self.unowned()?;
        Ok(AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                if let Some(evicts) = asking.may_evict_doubts().await
                    && place.evicts.swap(evicts, Ordering::AcqRel) != evicts
                {
                    match evicts {
                        true => tracing::warn!("this Redis is not used: {EVICTS}"),
                        false => tracing::info!("the policy of this Redis is right again"),
                    }
                }
                tokio::time::sleep(timing::EVICTION_POLICY_INTERVAL).await;
            }
        })))
    }

    /// Whether the server may evict marks of doubt; `None` if the policy cannot be read.
    async fn may_evict_doubts(self: &Arc<Redis>) -> Option<bool> {
        let mut link = self.link(Part::Cache).await.ok()?;
        let configuration = Configuration::ask(&mut link).await.ok()?;
        Some(configuration.may_evict_anything())
    }
}
