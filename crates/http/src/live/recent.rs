//! The events of the last minutes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::Event;
use super::stream::{Moment, frame};

/// How many events are kept: five minutes of one a second.
const KEPT_MAX: usize = 300;
/// For how long events are kept, in milliseconds.
const KEPT_MS: u64 = 300_000;

/// The events of the last minutes, as JSON. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Recent(Arc<Shared>);

#[derive(Debug)]
struct Kept {
    at_ms: u64,
    json: Bytes,
}

#[derive(Debug, Default)]
struct Shared {
    events: Mutex<VecDeque<Kept>>,
    /// What is sent of the newest.
    newest: watch::Sender<Bytes>,
}

impl Recent {
    fn events(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        let events = self.0.events.lock();
        events.unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the newest, and forgets what is too old or too many.
    pub fn push(&self, event: &Event) {
        // Numbers and texts: this cannot fail.
        let json = Bytes::from(serde_json::to_vec(event).unwrap_or_default());
        let mut events = self.events();
        let is_over = |oldest: &Kept| oldest.at_ms.saturating_add(KEPT_MS) < event.at_ms;
        while events.len() >= KEPT_MAX || events.front().is_some_and(is_over) {
            events.pop_front();
        }
        events.push_back(Kept {
            at_ms: event.at_ms,
            json: json.clone(),
        });
        // Under the lock, so that a new follower misses no event and gets none
        // twice.
        self.0.newest.send_replace(frame(Moment::Now, &json));
    }

    /// What is sent of the events so far, and then of each newer one.
    pub fn follow(&self) -> (Vec<Bytes>, watch::Receiver<Bytes>) {
        let events = self.events();
        let newest = events.len().saturating_sub(1);
        let frames = events
            .iter()
            .enumerate()
            .map(|(number, Kept { json, .. })| {
                let moment = match number == newest {
                    true => Moment::Now,
                    false => Moment::Past,
                };
                frame(moment, json)
            });
        (frames.collect(), self.0.newest.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_ms: u64) -> Event {
        Event {
            at_ms,
            services: Vec::new(),
            database_paused: None,
        }
    }

    fn text(frame: &Bytes) -> &str {
        std::str::from_utf8(frame).unwrap()
    }

    #[test]
    fn the_last_minutes_are_kept_and_no_more() {
        let recent = Recent::default();
        assert!(recent.follow().0.is_empty());
        for at_ms in 0..1000 {
            recent.push(&event(at_ms));
        }
        let (past, _) = recent.follow();
        assert_eq!(past.len(), KEPT_MAX);
        let first = "event: past\ndata: {\"at_ms\":700,\"services\":[]}\n\n";
        assert_eq!(text(&past[0]), first);
        let last = "data: {\"at_ms\":999,\"services\":[]}\n\n";
        assert_eq!(text(past.last().unwrap()), last);
    }

    #[test]
    fn events_that_are_too_old_are_forgotten_where_there_are_few() {
        let recent = Recent::default();
        for number in 0..100 {
            recent.push(&event(number * 5_000));
        }
        let (past, _) = recent.follow();
        assert_eq!(past.len(), 61);
        assert!(text(&past[0]).contains("\"at_ms\":195000,"), "{past:?}");
    }

    #[tokio::test]
    async fn what_comes_afterwards_follows_once() {
        let recent = Recent::default();
        recent.push(&event(1));
        let (past, mut newest) = recent.follow();
        assert_eq!(past.len(), 1);
        assert!(!newest.has_changed().unwrap());
        recent.push(&event(2));
        newest.changed().await.unwrap();
        let frame = newest.borrow_and_update().clone();
        assert!(text(&frame).contains("\"at_ms\":2"), "{frame:?}");
    }
}
