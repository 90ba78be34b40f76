//! Threads that serve requests, each on a runtime of its own.
//!
//! What a worker starts for its requests stays on its thread: its queues, its connections. Handing a
//! request to another thread and back costs more than most of what is done for it.

use std::cell::Cell;

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Makes this thread a worker, until it ends. Its runtime must have no other thread.
pub fn enter() {
    IS_WORKER.set(true);
}

/// Whether this thread is a worker.
pub(crate) fn is_here() -> bool {
    IS_WORKER.get()
}
