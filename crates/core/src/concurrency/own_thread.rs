//! A thread for tasks that no client can cut off.
//!
//! What a request's future asks of a server is dropped when its client disconnects, so it is
//! handed to a task that runs on (`store/calls.rs`), and to a connection that other threads
//! drive. The tasks of such a thread are dropped by no client. So they need neither: they ask
//! over connections of the thread, and an answer wakes no other thread.

use std::cell::RefCell;
use std::future::Future;
use std::sync::{Arc, Weak};

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::error::{Error, Part, Result};

thread_local! {
    /// On a thread that runs nothing but what [`start`] was given, until its runtime ends.
    static OWN: RefCell<Option<Arc<()>>> = const { RefCell::new(None) };
}

/// Whether the current thread runs nothing but what [`start`] was given.
pub(crate) fn is_own() -> bool {
    OWN.with_borrow(Option::is_some)
}

/// The runtime that drives a connection: a thread's own, or that of all others.
#[derive(Clone, Debug)]
pub(crate) struct Home(Option<Weak<()>>);

impl Home {
    /// Whether its thread has not ended.
    pub(crate) fn is_there(&self) -> bool {
        self.0.as_ref().is_none_or(|own| own.strong_count() > 0)
    }
}

impl PartialEq for Home {
    fn eq(&self, other: &Home) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => one.ptr_eq(other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

/// The one on which this is called.
pub(crate) fn home() -> Home {
    OWN.with_borrow(|own| Home(own.as_ref().map(Arc::downgrade)))
}

/// A thread with one task.
#[derive(Debug)]
pub(crate) struct OwnThread(oneshot::Receiver<()>);

impl OwnThread {
    /// Waits until the task has ended, and the thread's runtime.
    pub(crate) async fn ended(self) {
        // It is dropped where the task panics.
        let _ = self.0.await;
    }
}

/// Starts a thread that runs `task`, and what that spawns, until the task ends.
///
/// # Errors
/// When the system has no thread for it.
pub(crate) fn start(
    name: &str,
    task: impl Future<Output = ()> + Send + 'static,
) -> Result<OwnThread> {
    let no_thread = |error| Error::unavailable(Part::Database, format!("no thread: {error}"));
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(no_thread)?;
    let (ends, ended) = oneshot::channel();
    let run = move || {
        OWN.set(Some(Arc::default()));
        // What wakes the future of `block_on` makes a system call, even on the same thread.
        let _ = runtime.block_on(async { tokio::spawn(task).await });
        // A thread of it may wait for a name to be resolved.
        runtime.shutdown_background();
        OWN.set(None);
        drop(ends);
    };
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(run).map_err(no_thread)?;
    Ok(OwnThread(ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_its_tasks_are_on_their_own_thread() {
        let (say, said) = oneshot::channel();
        let task = async move {
            let spawned = tokio::spawn(async { is_own() }).await.unwrap();
            say.send(is_own() && spawned).unwrap();
        };
        start("test", task).unwrap().ended().await;
        assert!(said.await.unwrap());
        assert!(!is_own());
    }

    #[tokio::test]
    async fn each_thread_is_a_home_until_it_ends() {
        let (say, said) = oneshot::channel();
        let (ends, ended) = oneshot::channel::<()>();
        let task = async move {
            assert!(home() == home());
            say.send(home()).unwrap();
            let _ = ended.await;
        };
        let thread = start("test", task).unwrap();
        let of_thread = said.await.unwrap();
        assert!(of_thread != home() && home() == home());
        assert!(of_thread.is_there());
        drop(ends);
        thread.ended().await;
        assert!(!of_thread.is_there() && home().is_there());
    }

    #[tokio::test]
    async fn a_task_that_panics_has_ended() {
        let task = async { panic!("as a defect does") };
        start("test", task).unwrap().ended().await;
    }
}
