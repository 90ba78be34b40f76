//! The answers to one batch: a place for each request, in one allocation for all of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{Error, Result};

/// The side that answers. Requests that it has not answered when it is dropped are answered with
/// [`Error::Panicked`].
pub(super) struct Answers<T>(Arc<Places<T>>);

/// The answer to one request, once there is one.
pub(super) struct Answer<T> {
    places: Arc<Places<T>>,
    place: usize,
}

/// In the order of the requests.
struct Places<T>(Mutex<Vec<Place<T>>>);

enum Place<T> {
    /// With the caller's waker, once it has asked.
    Waits(Option<Waker>),
    Answered(Result<T>),
    /// The caller has its answer.
    Taken,
}

impl<T> Places<T> {
    fn lock(&self) -> MutexGuard<'_, Vec<Place<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Answers<T> {
    /// No places yet, with room for so many.
    pub(super) fn with_room(requests: usize) -> Answers<T> {
        let places = Vec::with_capacity(requests);
        Answers(Arc::new(Places(Mutex::new(places))))
    }

    /// A place for one request more.
    pub(super) fn add(&self) -> Answer<T> {
        let mut places = self.0.lock();
        places.push(Place::Waits(None));
        Answer {
            places: self.0.clone(),
            place: places.len() - 1,
        }
    }

    /// Answers all requests, in their order.
    pub(super) fn give(self, answers: Vec<Result<T>>) {
        self.fill(answers);
    }

    fn fill(&self, answers: Vec<Result<T>>) {
        let mut answers = answers.into_iter();
        let mut places = self.0.lock();
        let asked = places
            .iter()
            .filter(|place| matches!(place, Place::Waits(Some(_))));
        let mut wakers = Vec::with_capacity(asked.count());
        for place in places.iter_mut() {
            if let Place::Waits(waker) = place {
                wakers.extend(waker.take());
                *place = Place::Answered(answers.next().unwrap_or(Err(Error::Panicked)));
            }
        }
        drop(places);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<T> Drop for Answers<T> {
    fn drop(&mut self) {
        self.fill(Vec::new());
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let mut places = self.places.lock();
        let Some(place) = places.get_mut(self.place) else {
            return Poll::Ready(Err(Error::Panicked));
        };
        match std::mem::replace(place, Place::Taken) {
            Place::Answered(answer) => Poll::Ready(answer),
            Place::Waits(_) => {
                *place = Place::Waits(Some(context.waker().clone()));
                Poll::Pending
            }
            Place::Taken => Poll::Ready(Err(Error::Panicked)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_come_in_the_order_of_the_requests() {
        let answers = Answers::with_room(1);
        let waiting: Vec<Answer<u32>> = (0..3).map(|_| answers.add()).collect();
        let waiting = tokio::spawn(futures_util::future::join_all(waiting));
        tokio::task::yield_now().await;
        answers.give(vec![Ok(5), Err(Error::Overloaded)]);
        let answered = waiting.await.unwrap();
        assert!(matches!(
            answered[..],
            [Ok(5), Err(Error::Overloaded), Err(Error::Panicked)]
        ));
    }

    #[tokio::test]
    async fn one_that_is_dropped_leaves_no_caller_waiting() {
        let answers = Answers::<u32>::with_room(0);
        let waiting = answers.add();
        let waiting = tokio::spawn(waiting);
        tokio::task::yield_now().await;
        drop(answers.add());
        drop(answers);
        assert!(matches!(waiting.await.unwrap(), Err(Error::Panicked)));
    }
}
