//! An attempt to apply entries that wait for locked rows. It runs in a task of its own, so
//! that it holds up no other entry.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use crate::engine::apply::{AppliedBatch, apply};
use crate::engine::write_behind::drainer::Wake;
use crate::error::Error;
use crate::model::record::{Key, Record};
use crate::model::shard::Shard;
use crate::store::{Locks, Origin, Store};
use crate::timing;

/// An attempt that is under way, or has ended. Dropping it cuts it off.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) began: SystemTime,
    outcome: oneshot::Receiver<AppliedBatch>,
    task: JoinSet<()>,
}

impl Attempt {
    /// Begins after a moment, and with the permit; wakes the loop of the shard at its end.
    /// Applies those writes whose rows are not seen to be locked any more, of at most
    /// `max` keys.
    pub(super) fn start(
        store: Arc<dyn Store>,
        permits: Arc<Semaphore>,
        (wake, shard): (Wake, Shard),
        waiting: BTreeMap<Key, Vec<Record>>,
        max: usize,
    ) -> Attempt {
        let (sender, outcome) = oneshot::channel();
        let mut report = Report {
            sender: Some(sender),
            wake,
            shard,
        };
        let mut task = JoinSet::new();
        task.spawn(async move {
            tokio::time::sleep(timing::DRAIN_LOCKED_ROWS_INTERVAL).await;
            let Ok(_permit) = permits.acquire().await else {
                return;
            };
            let applied = apply_free(&*store, waiting, max).await;
            if let Some(sender) = report.sender.take() {
                let _ = sender.send(applied);
            }
        });
        Attempt {
            began: SystemTime::now(),
            outcome,
            task,
        }
    }

    /// What it came to, once it has ended.
    pub(super) fn outcome(&mut self) -> Option<AppliedBatch> {
        match self.outcome.try_recv() {
            Ok(applied) => Some(applied),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Closed) => Some(AppliedBatch {
                failed: Some(Error::Panicked),
                ..AppliedBatch::default()
            }),
        }
    }

    /// Cuts it off. On return it uses the database no more.
    pub(super) async fn shutdown(mut self) {
        self.task.shutdown().await;
    }
}

/// Wakes the loop after the outcome is there, also that of a panic.
struct Report {
    sender: Option<oneshot::Sender<AppliedBatch>>,
    wake: Wake,
    shard: Shard,
}

impl Drop for Report {
    fn drop(&mut self) {
        drop(self.sender.take());
        self.wake.wake(self.shard);
    }
}

async fn apply_free(
    store: &dyn Store,
    mut waiting: BTreeMap<Key, Vec<Record>>,
    max: usize,
) -> AppliedBatch {
    let keys: Vec<Key> = waiting.keys().cloned().collect();
    match store.locks(&keys).await {
        Ok(Locks { locked, .. }) => waiting.retain(|key, _| !locked.contains(key)),
        // The whole table is locked.
        Err(Error::Locked) => return AppliedBatch::default(),
        Err(error) => {
            return AppliedBatch {
                failed: Some(error),
                ..AppliedBatch::default()
            };
        }
    }
    let free: Vec<Record> = waiting.into_values().take(max).flatten().collect();
    apply(store, &free, Origin::Drained).await
}
