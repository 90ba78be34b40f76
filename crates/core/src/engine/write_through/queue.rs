//! The writes that have arrived and that the batches have not taken yet.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::error::{Error, Result};
use crate::model::decision::Decision;
use crate::model::record::Write;

/// A write, and the caller that waits for its answer.
pub(super) struct Waiting {
    pub(super) write: Write,
    pub(super) caller: oneshot::Sender<Result<Decision>>,
}

/// A queue that wakes its reader only when enough writes have arrived for a batch to begin.
/// Waking a thread costs more than all other work for a write.
pub(super) struct Queue {
    arrived: Mutex<Arrived>,
    enough: Notify,
    waiting_max: usize,
}

struct Arrived {
    writes: Vec<Waiting>,
    /// How many writes are in no batch yet: those in `writes`, and those that the reader took.
    waiting: usize,
    /// How many writes the reader waits for.
    wanted: usize,
    is_closed: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Queue({} waiting)", self.lock().waiting)
    }
}

impl Queue {
    pub(super) fn new(waiting_max: usize) -> Queue {
        Queue {
            arrived: Mutex::new(Arrived {
                writes: Vec::new(),
                waiting: 0,
                wanted: 1,
                is_closed: false,
            }),
            enough: Notify::new(),
            waiting_max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a write.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when as many writes wait as may, [`Error::Stopping`] when the queue is
    /// closed.
    pub(super) fn push(&self, write: Waiting) -> Result<()> {
        let mut arrived = self.lock();
        if arrived.is_closed {
            return Err(Error::Stopping);
        }
        if arrived.waiting >= self.waiting_max {
            return Err(Error::Overloaded);
        }
        arrived.waiting += 1;
        arrived.writes.push(write);
        let is_enough = arrived.writes.len() >= arrived.wanted;
        if is_enough {
            // The reader is woken once.
            arrived.wanted = usize::MAX;
        }
        drop(arrived);
        if is_enough {
            self.enough.notify_one();
        }
        Ok(())
    }

    /// Takes no more writes.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.enough.notify_one();
    }

    /// Takes the writes that have arrived. The flag says whether the queue is closed, so that no
    /// more writes will arrive.
    pub(super) fn take(&self) -> (Vec<Waiting>, bool) {
        let mut arrived = self.lock();
        (std::mem::take(&mut arrived.writes), arrived.is_closed)
    }

    /// Notes that this many writes are in a batch now.
    pub(super) fn left(&self, writes: usize) {
        let mut arrived = self.lock();
        debug_assert!(
            arrived.waiting >= arrived.writes.len() + writes,
            "what is in a batch has been taken"
        );
        arrived.waiting -= writes;
    }

    /// Lets [`Queue::arrived`] return when this many writes have arrived. Returns false if they
    /// have arrived already.
    pub(super) fn wait_for(&self, writes: usize) -> bool {
        let mut arrived = self.lock();
        arrived.wanted = writes;
        arrived.writes.len() < writes
    }

    /// Returns when enough writes have arrived or the queue is closed. May return without a reason.
    pub(super) async fn arrived(&self) {
        self.enough.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::FutureExt;

    use super::*;
    use crate::model::record::Key;

    fn push(queue: &Queue) -> Result<()> {
        let (caller, _) = oneshot::channel();
        let write = Write::put(Key::from("a"), Bytes::new());
        queue.push(Waiting { write, caller })
    }

    fn is_woken(queue: &Queue) -> bool {
        queue.arrived().now_or_never().is_some()
    }

    #[test]
    fn what_has_arrived_already_is_not_waited_for() {
        let queue = Queue::new(10);
        // The writes arrive after the reader has looked and before it waits.
        assert!(queue.wait_for(usize::MAX));
        push(&queue).unwrap();
        push(&queue).unwrap();
        assert!(!is_woken(&queue));
        assert!(!queue.wait_for(1) && !queue.wait_for(2));
        assert!(queue.wait_for(3));
    }

    #[test]
    fn the_reader_is_woken_once_when_enough_has_arrived() {
        let queue = Queue::new(10);
        assert!(queue.wait_for(2));
        push(&queue).unwrap();
        assert!(!is_woken(&queue));
        push(&queue).unwrap();
        push(&queue).unwrap();
        assert!(is_woken(&queue));
        assert!(!is_woken(&queue));
        assert_eq!(queue.take().0.len(), 3);
        queue.close();
        assert!(is_woken(&queue));
        assert!(queue.take().1);
    }

    #[test]
    fn writes_count_until_they_are_in_a_batch() {
        let queue = Queue::new(2);
        push(&queue).unwrap();
        push(&queue).unwrap();
        assert_eq!(queue.take().0.len(), 2);
        assert!(matches!(push(&queue), Err(Error::Overloaded)));
        queue.left(1);
        push(&queue).unwrap();
        assert!(matches!(push(&queue), Err(Error::Overloaded)));
        assert_eq!(queue.take().0.len(), 1);
        queue.left(2);
        assert_eq!(format!("{queue:?}"), "Queue(0 waiting)");
    }
}
