//! One flight for all who want to go to the same place at the same time. (Go's
//! `golang.org/x/sync/singleflight` gave it the name.)

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::record::Key;

type Landing<T> = watch::Receiver<Option<T>>;

/// What is under way, by key.
#[derive(Debug)]
pub(crate) struct SingleFlight<T> {
    flights: Arc<Mutex<HashMap<Key, Landing<T>>>>,
}

/// What to do about a key.
pub(crate) enum Turn<T> {
    /// Go, and tell the others.
    Lead(Lead<T>),
    /// Wait for the one who goes.
    Follow(Follow<T>),
}

/// To be told how it ended. Dropping it untold tells that too.
pub(crate) struct Lead<T> {
    key: Key,
    landing: watch::Sender<Option<T>>,
    flights: Arc<Mutex<HashMap<Key, Landing<T>>>>,
}

/// Waits for another's flight.
pub(crate) struct Follow<T>(Landing<T>);

impl<T: Clone> SingleFlight<T> {
    pub(crate) fn new() -> SingleFlight<T> {
        SingleFlight {
            flights: Arc::default(),
        }
    }

    /// Joins the flight to `key`, or is the first.
    pub(crate) fn join(&self, key: &Key) -> Turn<T> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(landing) = flights.get(key) {
            return Turn::Follow(Follow(landing.clone()));
        }
        let (landing, follow) = watch::channel(None);
        flights.insert(key.clone(), follow);
        Turn::Lead(Lead {
            key: key.clone(),
            landing,
            flights: self.flights.clone(),
        })
    }
}

impl<T> Lead<T> {
    /// Tells all who wait. Who comes after this is the first of another flight.
    pub(crate) fn land(self, result: T) {
        self.leave();
        self.landing.send_replace(Some(result));
    }

    fn leave(&self) {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.remove(&self.key);
    }
}

impl<T> Drop for Lead<T> {
    fn drop(&mut self) {
        // After `land`, another flight may have begun.
        if self.landing.borrow().is_none() {
            self.leave();
        }
    }
}

impl<T: Clone> Follow<T> {
    /// How it ended; `None` when that will never be known.
    pub(crate) async fn landed(mut self) -> Option<T> {
        let landed = self.0.wait_for(Option::is_some).await.ok()?;
        landed.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(flights: &SingleFlight<u32>, key: &Key) -> Lead<u32> {
        match flights.join(key) {
            Turn::Lead(lead) => lead,
            Turn::Follow(_) => panic!("somebody is under way"),
        }
    }

    fn follow(flights: &SingleFlight<u32>, key: &Key) -> Follow<u32> {
        match flights.join(key) {
            Turn::Follow(follow) => follow,
            Turn::Lead(_) => panic!("nobody is under way"),
        }
    }

    #[tokio::test]
    async fn all_who_come_before_it_lands_are_told_and_who_comes_after_goes_again() {
        let (flights, key) = (SingleFlight::new(), Key::from("a"));
        let first = lead(&flights, &key);
        let followers = [follow(&flights, &key), follow(&flights, &key)];
        let elsewhere = lead(&flights, &Key::from("b"));
        first.land(7);
        let second = lead(&flights, &key);
        for follower in followers {
            assert_eq!(follower.landed().await, Some(7));
        }
        let follower = follow(&flights, &key);
        second.land(8);
        assert_eq!(follower.landed().await, Some(8));
        elsewhere.land(9);
        assert!(flights.flights.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_never_lands_keeps_nobody_waiting() {
        let (flights, key) = (SingleFlight::<u32>::new(), Key::from("a"));
        let first = lead(&flights, &key);
        let follower = follow(&flights, &key);
        drop(first);
        assert_eq!(follower.landed().await, None);
        drop(lead(&flights, &key));
    }
}
