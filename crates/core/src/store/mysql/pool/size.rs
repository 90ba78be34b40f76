//! How many connections a pool may have now.

use crate::timing;
use tokio::time::Instant;

/// How many connections a pool may have now, which is how many permits there are: as many
/// as it is made for, until the server admits fewer. Then as many as there are, and after
/// each interval without a refusal some more, twice as many each time.
#[derive(Debug)]
pub(super) struct Size {
    max: usize,
    now: usize,
    step: usize,
    grow_at: Instant,
    /// Whether the log has it.
    is_reported: bool,
}

impl Size {
    pub(super) fn new(max: usize) -> Size {
        Size {
            max,
            now: max,
            step: 1,
            grow_at: Instant::now(),
            is_reported: false,
        }
    }

    /// How many there may be now.
    pub(super) fn now(&self) -> usize {
        self.now
    }

    /// The server has refused a connection beside `open` others, and the permit to have it is
    /// gone. Returns how many others are too many; [`Size::shrunk_by`] says how many of them
    /// are gone, too.
    pub(super) fn refused(&mut self, open: usize, reason: &str) -> usize {
        if !self.is_reported {
            self.is_reported = true;
            tracing::warn!(
                connections = open,
                wanted = self.max,
                reason,
                "the database admits no further connection: calls wait for a free one"
            );
        }
        self.step = 1;
        self.grow_at = Instant::now() + timing::MYSQL_POOL_GROWTH_INTERVAL;
        self.now -= 1;
        self.now.saturating_sub(open)
    }

    /// So many permits are gone.
    pub(super) fn shrunk_by(&mut self, permits: usize) {
        self.now -= permits;
    }

    /// How many permits there are more from now on.
    pub(super) fn grow(&mut self) -> usize {
        if self.now == self.max || Instant::now() < self.grow_at {
            return 0;
        }
        let more = self.step.min(self.max - self.now);
        self.now += more;
        self.step *= 2;
        self.grow_at = Instant::now() + timing::MYSQL_POOL_GROWTH_INTERVAL;
        more
    }

    /// When it is worth asking to [`Size::grow`] again.
    pub(super) fn grows_at(&self) -> Option<Instant> {
        (self.now < self.max).then_some(self.grow_at)
    }

    /// A connection was opened, and there are so many now.
    pub(super) fn opened(&mut self, open: usize) {
        if self.is_reported && open == self.max {
            self.is_reported = false;
            tracing::info!(
                connections = open,
                "the database admits all connections again"
            );
        }
    }
}
