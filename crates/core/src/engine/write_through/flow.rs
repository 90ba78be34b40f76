//! When a batch begins: at once where none is under way, else when enough writes have gathered
//! to share the work.

/// How much of an equal share has to have gathered, since no two rounds are quite alike.
const SHARE: (usize, usize) = (7, 8);

/// The writes under way and those that gather.
///
/// Clients that wait for their answers come back together, when a batch has ended. If the first
/// of them began a batch, it would be alone in it, and all others would wait for it. So as long
/// as a batch is under way the next one waits for its share of the writes that there usually
/// are. It waits for no time, and never where nothing is under way.
#[derive(Debug)]
pub(super) struct Flow {
    at_once: usize,
    batches: usize,
    under_way: usize,
    gathering: usize,
    /// How many writes there were at the same time, lately.
    usual: usize,
}

impl Flow {
    /// For at most so many batches at once.
    pub(super) fn new(at_once: usize) -> Flow {
        Flow {
            at_once,
            batches: 0,
            under_way: 0,
            gathering: 0,
            usual: 0,
        }
    }

    /// A write gathers.
    pub(super) fn arrived(&mut self) {
        self.gathering += 1;
    }

    /// Whether a batch of what has gathered may begin.
    pub(super) fn may_begin(&self) -> bool {
        self.batches == 0 || self.batches < self.at_once && self.gathering >= self.share()
    }

    /// How many more writes have to arrive before it is worth asking again; after a batch has
    /// ended it is, too.
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

    /// A batch of so many began.
    pub(super) fn began(&mut self, writes: usize) {
        let now = self.under_way + self.gathering;
        self.usual = now.max(self.usual - self.usual.div_ceil(8));
        self.batches += 1;
        self.under_way += writes;
        self.gathering -= writes;
    }

    /// A batch of so many ended.
    pub(super) fn ended(&mut self, writes: usize) {
        self.batches -= 1;
        self.under_way -= writes;
    }
}
