//! The room for calls about many users.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::problem::{Kind, Problem};

/// Most streams of writes at the same time.
const STREAMS_MAX: usize = 8;
/// Most bodies of `POST /users/get` over the ordinary bound at the same time.
const LARGE_BODIES_MAX: usize = 8;
/// `Retry-After` of a call for which there is no room.
const RETRY_AFTER_S: u64 = 1;

/// The room for streams. Clones share it.
#[derive(Clone, Debug)]
pub struct Streams {
    streams: Arc<Semaphore>,
    large_bodies: Arc<Semaphore>,
    /// Lines of all streams whose writes are under way.
    pub(crate) lines: Arc<Semaphore>,
    /// How many of those there may be.
    pub(crate) lines_max: usize,
    stopping: Arc<watch::Sender<bool>>,
}

impl Streams {
    /// Leaves half of the places of `waiting_max` writes to calls of one user.
    pub(crate) fn new(waiting_max: usize) -> Streams {
        let lines_max = (waiting_max / 2).clamp(1, Semaphore::MAX_PERMITS);
        Streams {
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            large_bodies: Arc::new(Semaphore::new(LARGE_BODIES_MAX)),
            lines: Arc::new(Semaphore::new(lines_max)),
            lines_max,
            stopping: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Ends all streams: what they have read is answered.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Whether the service stops; a change is announced.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// The place of one stream of writes.
    ///
    /// # Errors
    /// `503` while as many as may are under way.
    pub(crate) fn stream(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let place = self.streams.clone().try_acquire_owned();
        place.map_err(|_| overloaded("too many batches are under way"))
    }

    /// The place of one large body.
    ///
    /// # Errors
    /// `503` while as many large bodies as may are there.
    pub(crate) fn large_body(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let place = self.large_bodies.clone().try_acquire_owned();
        place.map_err(|_| overloaded("too many large bodies are under way"))
    }
}

fn overloaded(detail: &'static str) -> Problem {
    Problem::passing(Kind::Overloaded, detail, RETRY_AFTER_S)
}
