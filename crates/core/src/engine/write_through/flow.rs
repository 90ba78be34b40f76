//! Decides when a batch begins: at once if no batch is under way, or else when enough writes have
//! gathered to share the work.

/// The fraction of an equal share that must have gathered before a batch begins. A whole share may
/// never gather, since no two rounds are quite alike.
const SHARE: (usize, usize) = (7, 8);

/// The writes under way and those that gather.
///
/// Clients that wait for their answers come back together, when a batch has ended. If the first
/// client's write began a batch, that write would be alone in the batch, and all other writes
/// would wait for it. So while a batch is under way, the next batch waits for its share of the
/// usual number of writes. There is no timer. If no batch is under way, a batch begins at once.
#[derive(Debug)]
pub(super) struct Flow {
    at_once: usize,
    batches: usize,
    under_way: usize,
    gathering: usize,
    /// How many writes there lately were at the same time.
    usual: usize,
}

impl Flow {
    /// A flow of at most `at_once` batches at the same time.
    pub(super) fn new(at_once: usize) -> Flow {
        Flow {
            at_once,
            batches: 0,
            under_way: 0,
            gathering: 0,
            usual: 0,
        }
    }

    /// Notes that a write has arrived and gathers.
    pub(super) fn arrived(&mut self) {
        self.gathering += 1;
    }

    /// Whether the writes that have gathered may begin a batch.
    pub(super) fn may_begin(&self) -> bool {
        self.batches == 0 || self.batches < self.at_once && self.gathering >= self.share()
    }

    /// How many more writes must arrive before [`Flow::may_begin`] can change its answer. The end
    /// of a batch can change the answer, too.
    pub(super) fn wanted(&self) -> usize {
        match self.batches {
            0 => 1,
            batches if batches < self.at_once => self.share().saturating_sub(self.gathering).max(1),
            _ => usize::MAX,
        }
    }

    fn share(&self) -> usize {
        let (part, whole) = SHARE;
        let usual = self.usual.max(self.under_way + self.gathering);
        (usual * part).div_ceil(self.at_once * whole)
    }

    /// Notes that a batch of this many writes has begun.
    pub(super) fn began(&mut self, writes: usize) {
        let now = self.under_way + self.gathering;
        self.usual = now.max(self.usual - self.usual.div_ceil(8));
        self.batches += 1;
        self.under_way += writes;
        self.gathering -= writes;
    }

    /// Notes that a batch of this many writes has ended.
    pub(super) fn ended(&mut self, writes: usize) {
        self.batches -= 1;
        self.under_way -= writes;
    }
}
