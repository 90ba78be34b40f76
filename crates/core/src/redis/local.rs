//! A connection of each thread: what a thread of the HTTP server asks over its
//! own is answered to it without another thread being woken, which costs more
//! than the question.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::concurrency::own_thread;
use crate::concurrency::shared_attempt::Attempts;
use crate::concurrency::worker;
use crate::redis::connection::Shared;

thread_local! {
    /// By the number of the [`crate::redis::Redis`] that they belong to.
    static CONNECTIONS: RefCell<HashMap<u64, Shared>> = RefCell::default();
    /// Attempts to open one, by the same.
    static OPENING: RefCell<HashMap<u64, Arc<Attempts>>> = RefCell::default();
}

/// Whether this is a thread that drives its connections as long as the process goes on: a worker,
/// or one with tasks of its own.
pub(super) fn is_kept_here() -> bool {
    worker::is_here() || own_thread::is_own()
}

/// This thread's connection, unless it was found to be of no use.
pub(super) fn held(number: u64) -> Option<Shared> {
    CONNECTIONS.with_borrow(|connections| {
        let held = connections.get(&number).cloned();
        held.filter(|shared| !shared.is_broken())
    })
}

/// Attempts to open one: this thread makes one at a time.
pub(super) fn opening(number: u64) -> Arc<Attempts> {
    OPENING.with_borrow_mut(|opening| opening.entry(number).or_default().clone())
}

/// Holds one in place of another.
pub(super) fn hold(number: u64, shared: &Shared) {
    CONNECTIONS.with_borrow_mut(|connections| connections.insert(number, shared.clone()));
}
