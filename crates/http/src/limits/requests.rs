//! How many requests may be in flight at the same time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{Kind, Problem, RETRY_S_MIN};

/// The places of the requests in flight. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Requests(Arc<Semaphore>);

/// The place of one request, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(
    #[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit,
);

impl Requests {
    /// At most so many; `None` where 0 is asked for, which is no limit.
    pub(crate) fn at_most(max: usize) -> Option<Requests> {
        (max > 0).then(|| Requests(Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)))))
    }

    /// A place for another request.
    ///
    /// # Errors
    /// `503` while all are taken.
    pub(crate) fn enter(&self) -> Result<Place, Problem> {
        let place = self.0.clone().try_acquire_owned();
        place.map(Place).map_err(|_| {
            let detail = "as many requests are in flight as REQUESTS_MAX allows";
            Problem::passing(Kind::Overloaded, detail, RETRY_S_MIN)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_once_its_request_is_answered() {
        let requests = Requests::at_most(2).unwrap();
        let (first, _second) = (requests.enter().unwrap(), requests.enter().unwrap());
        assert!(requests.enter().is_err());
        drop(first);
        assert!(requests.enter().is_ok());
        assert!(Requests::at_most(0).is_none());
    }
}
