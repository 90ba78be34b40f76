//! Runs one operation for all callers that want the same key at the same time. (Go's
//! `golang.org/x/sync/singleflight` gave it the name.)

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

type Landing<T> = Arc<watch::Sender<Option<T>>>;

/// The operations under way, by key.
#[derive(Debug)]
pub(crate) struct SingleFlight<K, T> {
    flights: Arc<Mutex<HashMap<K, Landing<T>>>>,
}

/// What a caller has to do for a key.
pub(crate) enum Turn<K: Eq + Hash, T> {
    /// Run the operation, and give the result to the followers.
    Lead(Lead<K, T>),
    /// Wait for the leader's result.
    Follow(Follow<T>),
}

/// The leader of an operation, which owes the followers a result. Dropping it wakes
/// them without one.
pub(crate) struct Lead<K: Eq + Hash, T> {
    key: K,
    closed: AtomicBool,
    landing: Landing<T>,
    flights: Arc<Mutex<HashMap<K, Landing<T>>>>,
}

/// A follower, which waits for the leader's result.
pub(crate) struct Follow<T>(watch::Receiver<Option<T>>);

impl<K: Clone + Eq + Hash, T: Clone> SingleFlight<K, T> {
    pub(crate) fn new() -> SingleFlight<K, T> {
        SingleFlight {
            flights: Arc::default(),
        }
    }

    /// Makes the caller a follower of the operation on `key`, or its leader if there
    /// is none.
    pub(crate) fn join(&self, key: &K) -> Turn<K, T> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(landing) = flights.get(key) {
            return Turn::Follow(Follow(landing.subscribe()));
        }
        let landing = Landing::new(watch::channel(None).0);
        flights.insert(key.clone(), landing.clone());
        Turn::Lead(Lead {
            key: key.clone(),
            closed: AtomicBool::new(false),
            landing,
            flights: self.flights.clone(),
        })
    }
}

impl<K: Eq + Hash, T> Lead<K, T> {
    /// Lets no more callers join: the next one leads another flight.
    pub(crate) fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
            flights.remove(&self.key);
        }
    }

    /// Adds a waiter.
    pub(crate) fn follow(&self) -> Follow<T> {
        Follow(self.landing.subscribe())
    }

    /// Runs `work` while a caller waits for this flight. `None` once no caller does.
    pub(crate) async fn while_wanted<W>(&self, work: impl Future<Output = W>) -> Option<W> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.landing.closed() => None,
        }
    }

    /// Gives the result to all callers that wait.
    pub(crate) fn land(self, result: T) {
        self.close();
        self.landing.send_replace(Some(result));
    }
}

impl<K: Eq + Hash, T> Drop for Lead<K, T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T: Clone> Follow<T> {
    /// Waits for the result; `None` if the leader was dropped.
    pub(crate) async fn landed(mut self) -> Option<T> {
        let landed = self.0.wait_for(Option::is_some).await.ok()?;
        landed.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(
        flights: &SingleFlight<&'static str, u32>,
        key: &'static str,
    ) -> Lead<&'static str, u32> {
        match flights.join(&key) {
            Turn::Lead(lead) => lead,
            Turn::Follow(_) => panic!("a leader is under way"),
        }
    }

    fn follow(flights: &SingleFlight<&'static str, u32>, key: &'static str) -> Follow<u32> {
        match flights.join(&key) {
            Turn::Follow(follow) => follow,
            Turn::Lead(_) => panic!("no leader is under way"),
        }
    }

    #[tokio::test]
    async fn callers_before_the_result_share_it_and_later_ones_lead() {
        let (flights, key) = (SingleFlight::new(), "a");
        let first = lead(&flights, key);
        let followers = [follow(&flights, key), follow(&flights, key)];
        let elsewhere = lead(&flights, "b");
        first.land(7);
        let second = lead(&flights, key);
        for follower in followers {
            assert_eq!(follower.landed().await, Some(7));
        }
        let follower = follow(&flights, key);
        second.land(8);
        assert_eq!(follower.landed().await, Some(8));
        elsewhere.land(9);
        assert!(flights.flights.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn dropping_the_leader_wakes_followers() {
        let (flights, key) = (SingleFlight::new(), "a");
        let first = lead(&flights, key);
        let follower = follow(&flights, key);
        drop(first);
        assert_eq!(follower.landed().await, None);
        drop(lead(&flights, key));
    }

    #[tokio::test]
    async fn work_ends_with_its_last_follower() {
        let (flights, key) = (SingleFlight::new(), "a");
        let first = lead(&flights, key);
        let (leader, follower) = (first.follow(), follow(&flights, key));
        drop(leader);
        assert_eq!(first.while_wanted(std::future::ready(7)).await, Some(7));
        let endless = first.while_wanted(std::future::pending::<()>());
        let mut endless = std::pin::pin!(endless);
        assert!(futures_util::poll!(endless.as_mut()).is_pending());
        drop(follower);
        assert_eq!(endless.await, None);
    }
}
