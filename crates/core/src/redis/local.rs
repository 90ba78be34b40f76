//! A connection of each thread: what a thread of the HTTP server asks over its
//! own is answered to it without another thread being woken, which costs more
//! than the question.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::Error;
use crate::redis::Shared;

/// When the last attempt to open one failed that did, and why.
type Opening = Mutex<Option<(Instant, Error)>>;

thread_local! {
    /// By the number of the [`crate::redis::Redis`] that they belong to.
    static CONNECTIONS: RefCell<HashMap<u64, Shared>> = RefCell::default();
    /// Held while one is being opened.
    static OPENING: RefCell<HashMap<u64, Arc<Opening>>> = RefCell::default();
}

/// This thread's connection, unless it was found to be of no use.
pub(super) fn held(number: u64) -> Option<Shared> {
    CONNECTIONS.with_borrow(|connections| {
        let held = connections.get(&number).cloned();
        held.filter(|shared| !shared.is_broken())
    })
}

/// To be held while one is being opened.
pub(super) fn opening(number: u64) -> Arc<Opening> {
    OPENING.with_borrow_mut(|opening| opening.entry(number).or_default().clone())
}

/// Holds one in place of another.
pub(super) fn hold(number: u64, shared: &Shared) {
    CONNECTIONS.with_borrow_mut(|connections| connections.insert(number, shared.clone()));
}
