//! Writes of names whose rows another transaction has locked. Such writes wait here, where
//! they hold up no writes of other names.

use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::model::decision::Decision;
use crate::model::record::{Key, Write};
use crate::store::Locks;
use crate::telemetry;
use crate::telemetry::repeated;
use crate::timing;

use super::WriteThroughSettings;
use super::transactions::Transactions;

/// The most writes that wait. Further writes are refused. Each waiting write has an open request.
const WAITING_WRITES_MAX: usize = 4096;

/// A write that waits.
#[derive(Debug)]
struct Waiting {
    write: Write,
    gives_up_at: Instant,
    caller: oneshot::Sender<Result<Decision>>,
}

/// The queue of the writes that wait. Its task does the writes whose rows are free again, in
/// the order in which they came.
#[derive(Debug)]
pub(super) struct WaitingWrites {
    queue: RwLock<Option<mpsc::Sender<Waiting>>>,
    timeout: Duration,
}

impl WaitingWrites {
    /// Returns the queue and its task. The task ends when [`WaitingWrites::close`] was called
    /// and all waiting writes are answered.
    pub(super) fn new(
        transactions: Arc<Transactions>,
        settings: WriteThroughSettings,
    ) -> (WaitingWrites, impl Future<Output = ()> + Send) {
        let (sender, queue) = mpsc::channel(WAITING_WRITES_MAX);
        let waiter = Waiter {
            transactions,
            batch_max: settings.group_commit.batch_max.max(1),
            queue,
            waiting: VecDeque::new(),
        };
        let waiting = WaitingWrites {
            queue: RwLock::new(Some(sender)),
            timeout: settings.lock_timeout,
        };
        (waiting, waiter.run())
    }

    /// Does the write once the row is free. A caller that is dropped before that withdraws
    /// its write.
    ///
    /// # Errors
    /// [`Error::Locked`] when the row stays locked for all of the timeout: then nothing was
    /// written. [`Error::Overloaded`] when as many writes wait as may.
    pub(super) async fn submit(&self, write: Write) -> Result<Decision> {
        let (caller, answer) = oneshot::channel();
        let waiting = Waiting {
            write,
            gives_up_at: Instant::now() + self.timeout,
            caller,
        };
        self.enqueue(waiting)?;
        answer.await.unwrap_or(Err(Error::Panicked))
    }

    fn enqueue(&self, waiting: Waiting) -> Result<()> {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.as_ref().ok_or(Error::Stopping)?;
        queue.try_send(waiting).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Error::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Error::Stopping,
        })
    }

    /// Takes no more writes.
    pub(super) fn close(&self) {
        self.queue
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }
}

struct Waiter {
    transactions: Arc<Transactions>,
    batch_max: usize,
    queue: mpsc::Receiver<Waiting>,
    waiting: VecDeque<Waiting>,
}

impl Waiter {
    async fn run(mut self) {
        loop {
            if self.waiting.is_empty() {
                let Some(first) = self.queue.recv().await else {
                    return;
                };
                self.waiting.push_back(first);
            }
            while self.waiting.len() < WAITING_WRITES_MAX
                && let Ok(next) = self.queue.try_recv()
            {
                self.waiting.push_back(next);
            }
            self.give_up();
            let free = self.take_free().await;
            if free.is_empty() || !self.write(free).await {
                tokio::time::sleep(timing::LOCKED_ROWS_INTERVAL).await;
            }
        }
    }

    /// Answers the writes that have waited for too long, and drops those without a caller.
    fn give_up(&mut self) {
        let now = Instant::now();
        let gives_up = |waiting: &Waiting| waiting.gives_up_at <= now || waiting.caller.is_closed();
        let all = std::mem::take(&mut self.waiting);
        let (gone, left): (VecDeque<_>, VecDeque<_>) = all.into_iter().partition(gives_up);
        self.waiting = left;
        if !gone.is_empty() {
            telemetry::failed("write-through", &Error::Locked);
            let what = "rows of the database were locked by another transaction for too long; none of these writes took place";
            repeated::failed(what, &Error::Locked, gone.len() as u64);
        }
        for waiting in gone {
            let _ = waiting.caller.send(Err(Error::Locked));
        }
    }

    /// Takes the writes whose rows are free, as many as one batch may have.
    async fn take_free(&mut self) -> Vec<Waiting> {
        let mut keys: Vec<Key> = self.keys().cloned().collect();
        keys.sort_unstable();
        keys.dedup();
        let Ok(Locks { locked, .. }) = self.transactions.store.locks(&keys).await else {
            // The whole table is locked, or the database is unavailable. No row is known to be
            // free.
            self.transactions.locked.add(keys.into_iter());
            return Vec::new();
        };
        let mut free = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            match free.len() < self.batch_max && !locked.contains(&waiting.write.key) {
                true => free.push(waiting),
                false => self.waiting.push_back(waiting),
            }
        }
        self.transactions.locked.add(locked.into_iter());
        free
    }

    /// Does the writes whose rows are free. A write that meets a lock all the same waits again,
    /// before all writes that came later. Returns whether any write was answered.
    async fn write(&mut self, free: Vec<Waiting>) -> bool {
        let writes = free.iter().map(|waiting| waiting.write.clone()).collect();
        let taken = AssertUnwindSafe(self.transactions.take(writes))
            .catch_unwind()
            .await;
        let answers = taken.unwrap_or_else(|_| {
            tracing::error!("a batch panicked; its writes have an unknown outcome");
            Vec::new()
        });
        let answers = answers
            .into_iter()
            .chain(std::iter::repeat_with(|| Err(Error::Panicked)));
        let mut locked = Vec::new();
        let mut written = HashSet::new();
        for (waiting, answer) in free.into_iter().zip(answers) {
            match answer {
                Err(Error::Locked) => locked.push(waiting),
                answer => {
                    written.insert(waiting.write.key.clone());
                    let _ = waiting.caller.send(answer);
                }
            }
        }
        for waiting in locked.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
        let still: HashSet<&Key> = self.keys().collect();
        for key in written.iter().filter(|key| !still.contains(key)) {
            self.transactions.locked.remove(key);
        }
        !written.is_empty()
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        self.waiting.iter().map(|waiting| &waiting.write.key)
    }
}
