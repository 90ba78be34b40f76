//! Where the batches of writes run.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::Either;
use tokio::task::JoinHandle;

use crate::concurrency::group_commit::gathered::{self, GatheredCommit};
use crate::concurrency::group_commit::{GroupCommit, GroupCommitBounds, Runs};
use crate::engine::write_behind::backlog::Reserved;
use crate::error::Result;
use crate::model::decision::Decision;
use crate::model::record::Write;

use super::appends::Appends;

/// Takes writes to the journal in batches.
#[derive(Debug)]
pub(super) enum Appender {
    /// Each worker's batches go to the journal by themselves.
    Apart(GroupCommit<Appends>),
    /// One batch at a time goes to the journal, on a thread of its own: it is made of what the workers
    /// have gathered.
    Together(GatheredCommit<Appends>),
}

impl Appender {
    /// Starts the queues. The returned task ends after [`Appender::close`], when everything
    /// submitted before is done.
    pub(super) fn start(
        appends: Arc<Appends>,
        bounds: GroupCommitBounds,
    ) -> (Appender, JoinHandle<()>) {
        const NAME: &str = "journal";
        if appends.journal.append_blocks() {
            let (group, done) = gathered::start(NAME, bounds, appends);
            (Appender::Together(group), done)
        } else {
            let (group, done) = GroupCommit::start(NAME, bounds, Runs::OnWorkers, appends);
            (Appender::Apart(group), done)
        }
    }

    /// Appends an admitted write, which is in the queue when this returns.
    ///
    /// # Errors
    /// As [`GroupCommit::submit`].
    pub(super) fn submit(
        &self,
        write: Write,
        reserved: Reserved,
    ) -> impl Future<Output = Result<Decision>> + Send + use<> {
        match self {
            Appender::Apart(group) => Either::Left(group.submit((write, reserved))),
            Appender::Together(group) => Either::Right(group.submit((write, reserved))),
        }
    }

    /// Takes no more writes.
    pub(super) fn close(&self) {
        match self {
            Appender::Apart(group) => group.close(),
            Appender::Together(group) => group.close(),
        }
    }
}
