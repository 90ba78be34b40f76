//! A thread for tasks that no client can cut off.
//!
//! What a request's future asks of a server is dropped when its client goes away, so it is
//! handed to a task that runs on (`store/calls.rs`), and to a connection that other threads
//! drive. The tasks of such a thread are dropped by no client. So they need neither: they ask
//! over connections of the thread, and an answer wakes no other thread.

use std::cell::Cell;
use std::future::Future;
use std::thread::ThreadId;

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::error::{Error, Part, Result};

thread_local! {
    static IS_OWN: Cell<bool> = const { Cell::new(false) };
}

/// Whether the current thread runs nothing but what [`start`] was given.
pub(crate) fn is_own() -> bool {
    IS_OWN.get()
}

/// The runtime that drives a connection: a thread's own, or that of all others.
pub(crate) type Home = Option<ThreadId>;

/// The one on which this is called.
pub(crate) fn home() -> Home {
    is_own().then(|| std::thread::current().id())
}

/// A thread with one task.
#[derive(Debug)]
pub(crate) struct OwnThread(oneshot::Receiver<()>);

impl OwnThread {
    /// Waits until the task has ended.
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
        IS_OWN.set(true);
        // What wakes the future of `block_on` makes a system call, even on the same thread.
        let _ = runtime.block_on(async { tokio::spawn(task).await });
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
    async fn a_task_that_panics_has_ended() {
        let task = async { panic!("as a defect does") };
        start("test", task).unwrap().ended().await;
    }
}
