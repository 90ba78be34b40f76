//! Limits how many clients watch the dashboard at once, and disconnects all of them when the service
//! stops.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// How many may watch at once. Each reads the metrics off once a second.
pub const VIEWERS_MAX: usize = 16;

/// The places for clients that watch. Clones share them.
#[derive(Clone, Debug)]
pub struct Viewers {
    places: Arc<Semaphore>,
    stopping: Arc<watch::Sender<bool>>,
}

/// The place of one viewer, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
    stopping: watch::Receiver<bool>,
}

impl Default for Viewers {
    fn default() -> Self {
        Viewers::new()
    }
}

impl Viewers {
    /// [`VIEWERS_MAX`] places, all free.
    pub fn new() -> Viewers {
        Viewers {
            places: Arc::new(Semaphore::new(VIEWERS_MAX)),
            stopping: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Returns a place, if one is free and the service is not stopping.
    pub fn enter(&self) -> Option<Place> {
        let permit = self.places.clone().try_acquire_owned().ok()?;
        Some(Place {
            _permit: permit,
            stopping: self.stopping.subscribe(),
        })
    }

    /// Whether there is a viewer.
    pub fn are_there(&self) -> bool {
        self.places.available_permits() < VIEWERS_MAX
    }

    /// Disconnects all viewers, and admits no more: a stream without an end would keep the service
    /// from stopping.
    pub fn end_all(&self) {
        self.places.close();
        self.stopping.send_replace(true);
    }
}

impl Place {
    /// Waits until the viewer is sent away.
    pub async fn ended(&mut self) {
        // An error means that the sender was dropped: the service is gone.
        let _ = self.stopping.wait_for(|stopping| *stopping).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_bounded_given_back_and_ended() {
        let viewers = Viewers::new();
        assert!(!viewers.are_there());
        let mut places: Vec<Place> = (0..VIEWERS_MAX).map_while(|_| viewers.enter()).collect();
        assert_eq!(places.len(), VIEWERS_MAX);
        assert!(viewers.are_there());
        assert!(viewers.enter().is_none());
        places.pop();
        let mut place = viewers.enter().unwrap();
        viewers.clone().end_all();
        place.ended().await;
        places.clear();
        assert!(viewers.enter().is_none(), "no viewer enters after that");
    }
}
