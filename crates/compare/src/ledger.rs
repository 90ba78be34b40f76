//! What was asked, acknowledged and read, by name: so what must be there in the end.

use crate::request::{Answer, Request};

/// Shared by all connections.
#[derive(Debug)]
pub struct Ledger {}

/// A request that is under way.
#[derive(Debug)]
pub struct Open {
    request: Request,
}

impl Ledger {
    /// For a workload of so many names.
    pub fn new(_names: u32) -> Ledger {
        Ledger {}
    }

    /// Right before a request is sent.
    pub fn begin(&self, request: Request) -> Open {
        Open { request }
    }

    /// As soon as its answer is there, or it is certain that none will be.
    pub fn end(&self, open: Open, answer: Answer) {
        let _ = (open.request, answer);
    }
}
