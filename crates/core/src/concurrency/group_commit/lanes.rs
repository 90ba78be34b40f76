//! The queues of workers, one each.

use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::error::{Error, Result};

use super::Commit;
use super::answers::Answer;
use super::lane::{Lane, Queues};

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// This thread's, by the number of the [`Lanes`] that they belong to.
    static HERE: RefCell<Vec<(u64, Box<dyn Any>)>> = const { RefCell::new(Vec::new()) };
}

/// The queues of workers. A worker's first request starts one.
pub(super) struct Lanes<C: Commit> {
    number: u64,
    started: Mutex<Started<C>>,
}

struct Started<C: Commit> {
    // Each worker holds its own.
    lanes: Vec<Weak<Lane<C>>>,
    is_closed: bool,
}

impl<C: Commit> Default for Lanes<C> {
    fn default() -> Lanes<C> {
        Lanes {
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            started: Mutex::new(Started {
                lanes: Vec::new(),
                is_closed: false,
            }),
        }
    }
}

impl<C: Commit> Lanes<C> {
    fn started(&self) -> MutexGuard<'_, Started<C>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a request on this thread.
    pub(super) fn submit(
        &self,
        queues: &Arc<Queues<C>>,
        request: C::Request,
    ) -> Result<Answer<C::Answer>> {
        HERE.with_borrow_mut(|here| {
            let held = here.iter().find(|(number, _)| *number == self.number);
            if let Some(lane) = held.and_then(|(_, lane)| lane.downcast_ref::<Arc<Lane<C>>>()) {
                return lane.submit(request);
            }
            let lane = self.start(queues)?;
            here.push((self.number, Box::new(lane.clone())));
            lane.submit(request)
        })
    }

    fn start(&self, queues: &Arc<Queues<C>>) -> Result<Arc<Lane<C>>> {
        let lane = Lane::new(queues.clone());
        let mut started = self.started();
        if started.is_closed {
            return Err(Error::Stopping);
        }
        // Of threads that have ended.
        started.lanes.retain(|lane| lane.strong_count() > 0);
        started.lanes.push(Arc::downgrade(&lane));
        let batches = queues.running.track_future(lane.clone().run());
        drop(tokio::spawn(batches));
        Ok(lane)
    }

    /// Takes no more requests.
    pub(super) fn close(&self) {
        let mut started = self.started();
        started.is_closed = true;
        for lane in started.lanes.drain(..).filter_map(|lane| lane.upgrade()) {
            lane.close();
        }
    }
}
