//! One life of a process, from its start to its crash or stop.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use cache_core::lease::LeaseCall;
use tokio::sync::Notify;

/// A process that has crashed does nothing any more: its tasks wait for ever in
/// the next call to a part, and the call that it was in changes nothing.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) name: String,
    dead: AtomicBool,
    died: Notify,
    stopped: AtomicBool,
    calls: Mutex<VecDeque<LeaseCall>>,
    called: Notify,
}

impl Life {
    pub(crate) fn new(process: usize, number: usize) -> Life {
        Life {
            name: format!("p{process}.{number}"),
            dead: AtomicBool::new(false),
            died: Notify::new(),
            stopped: AtomicBool::new(false),
            calls: Mutex::default(),
            called: Notify::new(),
        }
    }

    pub(crate) fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.died.notify_waiters();
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Returns when the process has crashed.
    pub(crate) async fn crashed(&self) {
        let died = self.died.notified();
        if !self.is_dead() {
            died.await;
        }
    }

    /// Does not return to a process that has crashed.
    pub(crate) async fn go_on(&self) {
        if self.is_dead() {
            std::future::pending().await
        }
    }

    /// Its engine's stop has returned.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(crate) fn call(&self, call: LeaseCall) {
        self.calls.lock().unwrap().push_back(call);
        self.called.notify_one();
    }

    pub(crate) async fn called(&self) -> LeaseCall {
        loop {
            self.go_on().await;
            let call = self.calls.lock().unwrap().pop_front();
            match call {
                Some(call) => return call,
                None => self.called.notified().await,
            }
        }
    }
}
