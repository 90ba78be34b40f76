//! Requests of clients that are not answered yet: how many, and how old the oldest is. Each thread counts
//! its own, so that none waits for another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use metrics::gauge;
use slab::Slab;

static THREADS: Mutex<Vec<Weak<Thread>>> = Mutex::new(Vec::new());

thread_local! {
    static HERE: Arc<Thread> = register();
}

/// When the requests of one thread began.
#[derive(Debug, Default)]
struct Thread(Mutex<Slab<Instant>>);

/// A request that is not answered, until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    thread: Arc<Thread>,
    place: usize,
}

fn register() -> Arc<Thread> {
    let thread = Arc::<Thread>::default();
    let mut threads = locked(&THREADS);
    // Of threads that have ended.
    threads.retain(|thread| thread.strong_count() > 0);
    threads.push(Arc::downgrade(&thread));
    thread
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts a request of this thread.
pub(crate) fn begin(now: Instant) -> InFlight {
    let thread = HERE.with(Arc::clone);
    let place = locked(&thread.0).insert(now);
    InFlight { thread, place }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        locked(&self.thread.0).try_remove(self.place);
    }
}

/// How many requests there are on all threads, and the age of the oldest.
fn count() -> (usize, Option<Duration>) {
    let threads: Vec<Arc<Thread>> = locked(&THREADS).iter().filter_map(Weak::upgrade).collect();
    let (mut count, mut oldest) = (0, None::<Instant>);
    for thread in threads {
        for (_, began) in locked(&thread.0).iter() {
            count += 1;
            oldest = Some(oldest.map_or(*began, |oldest| oldest.min(*began)));
        }
    }
    (count, oldest.map(|began| began.elapsed()))
}

/// Brings the metrics up to date.
pub(crate) fn observe() {
    let (count, oldest) = count();
    gauge!("write_cache_http_requests_in_flight").set(count as f64);
    gauge!("write_cache_http_oldest_request_age_seconds")
        .set(oldest.unwrap_or_default().as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_all_threads_count_until_they_are_dropped() {
        let ago = |seconds| {
            Instant::now()
                .checked_sub(Duration::from_secs(seconds))
                .unwrap()
        };
        let old = begin(ago(100));
        let young = begin(ago(1));
        let elsewhere = std::thread::spawn(move || {
            let oldest = begin(ago(1000));
            let (count, age) = count();
            drop(oldest);
            (count, age.unwrap())
        });
        let (both, age) = elsewhere.join().unwrap();
        assert_eq!(both, 3);
        assert!(age >= Duration::from_secs(1000), "{age:?}");
        let (here, age) = count();
        assert_eq!(here, 2);
        assert!(age.is_some_and(|age| age >= Duration::from_secs(100)));
        drop(old);
        let (here, age) = count();
        assert_eq!(here, 1);
        assert!(age.is_some_and(|age| age < Duration::from_secs(100)));
        drop(young);
        assert_eq!(count(), (0, None));
        // The places are used again.
        let _again = [begin(Instant::now()), begin(Instant::now())];
        assert_eq!(HERE.with(|thread| locked(&thread.0).vacant_key()), 2);
    }
}
