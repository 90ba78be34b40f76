//! Clients at work on a site, while a test breaks something, and the judgement of what they were answered.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use linearizability::recorder::Recorder;
use linearizability::{Action, Outcome, Value};
use testkit::wait::wait_until;

use crate::clients::{ClientAtWork, Mix};
use crate::seed::Seed;
use crate::site::{Addresses, Site};

/// How much of what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) clients: usize,
    pub(crate) names: usize,
    /// How many of the names are asked for at a time.
    pub(crate) at_a_time: usize,
    /// After so many operations, one of those gives its place to a name that was not used yet.
    pub(crate) operations_a_name: u64,
    pub(crate) mix: Mix,
}

impl Load {
    /// A few names, for as long as it lasts.
    pub(crate) const USUAL: Load = Load {
        clients: 10,
        names: 5,
        at_a_time: 5,
        operations_a_name: u64::MAX,
        mix: Mix::USUAL,
    };

    /// Always names that are new, and so in no cache and in no database.
    pub(crate) const NEW_NAMES: Load = Load {
        names: 300,
        at_a_time: 3,
        operations_a_name: 12,
        ..Load::USUAL
    };
}

/// What the clients share.
#[derive(Debug)]
pub(crate) struct Shared {
    load: Load,
    pub(crate) addresses: Addresses,
    pub(crate) recorder: Recorder,
    pub(crate) next_value: AtomicU64,
    operations: AtomicU64,
    writes: AtomicU64,
    reads: AtomicU64,
    stop: AtomicBool,
    reads_only: AtomicBool,
    offences: Mutex<Vec<String>>,
}

impl Shared {
    pub(crate) fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && !self.has_offences()
    }

    /// The name that the next operation is on.
    pub(crate) fn next_name(&self, choices: &mut fastrand::Rng) -> usize {
        let before = self.operations.fetch_add(1, Ordering::Relaxed);
        let gone = (before / self.load.operations_a_name) as usize;
        gone.min(self.load.names - self.load.at_a_time) + choices.usize(..self.load.at_a_time)
    }

    pub(crate) fn only_reads(&self) -> bool {
        self.reads_only.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        match outcome {
            Outcome::Saw(_) => self.reads.fetch_add(1, Ordering::Relaxed),
            Outcome::Done(_) => self.writes.fetch_add(1, Ordering::Relaxed),
            _ => return,
        };
    }

    /// Notes that something is wrong.
    pub(crate) fn offends(&self, what: String) {
        self.offences.lock().unwrap().push(what);
    }

    fn has_offences(&self) -> bool {
        !self.offences.lock().unwrap().is_empty()
    }
}

/// Clients that are at work until [`Working::end`].
#[derive(Debug)]
pub(crate) struct Working {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Working {
    pub(crate) fn start(seed: Seed, site: &Site, load: Load) -> Self {
        let names = (0..load.names).map(|name| format!("Zoë {name:03}"));
        let shared = Arc::new(Shared {
            load,
            addresses: site.addresses().clone(),
            recorder: Recorder::new(names),
            next_value: AtomicU64::new(1),
            operations: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            reads_only: AtomicBool::new(false),
            offences: Mutex::default(),
        });
        let threads = (0..load.clients).map(|number| {
            let shared = shared.clone();
            let choices = seed.choices(number as u64);
            thread::spawn(move || ClientAtWork::new(number, &shared, choices).run(load.mix))
        });
        Working {
            threads: threads.collect(),
            shared,
        }
    }

    /// Waits until so many more writes are acknowledged, and so many more reads answered.
    #[track_caller]
    pub(crate) fn achieves(&self, more: u64) {
        let enough = |count: &AtomicU64| count.load(Ordering::Relaxed) + more;
        let (writes, reads) = (enough(&self.shared.writes), enough(&self.shared.reads));
        self.goes_on_until("more writes and reads", || {
            self.shared.writes.load(Ordering::Relaxed) >= writes
                && self.shared.reads.load(Ordering::Relaxed) >= reads
        });
    }

    /// While `during` runs, the clients only read, and at least so many more reads are answered before it is over.
    #[track_caller]
    pub(crate) fn only_reads(&self, more: u64, during: impl FnOnce()) {
        self.shared.reads_only.store(true, Ordering::Relaxed);
        let reads = self.shared.reads.load(Ordering::Relaxed) + more;
        during();
        self.goes_on_until("more reads", || {
            self.shared.reads.load(Ordering::Relaxed) >= reads
        });
        self.shared.reads_only.store(false, Ordering::Relaxed);
    }

    /// Waits until something holds, and not beyond an offence, at which all clients stop.
    #[track_caller]
    pub(crate) fn goes_on_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        wait_until(what, || holds() || self.shared.has_offences());
        self.expect_no_offence();
    }

    /// One more client, which the test itself lets ask.
    pub(crate) fn client(&self) -> ClientAtWork<'_> {
        ClientAtWork::new(self.shared.load.clients, &self.shared, fastrand::Rng::new())
    }

    /// A name, by its place.
    pub(crate) fn name(&self, place: usize) -> &str {
        self.shared.recorder.name(place)
    }

    /// A value that was not put yet.
    pub(crate) fn new_value(&self) -> Value {
        self.shared.next_value.fetch_add(1, Ordering::Relaxed)
    }

    /// Records that everything until now may be lost: each write may have taken place or not.
    pub(crate) fn forgets(&self) {
        self.shared.recorder.forget();
    }

    /// Ends all clients, reads every name once through each replica, and has the histories judged.
    #[track_caller]
    pub(crate) fn end(mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("a client");
        }
        let shared = &self.shared;
        let mut last = self.client();
        for replica in 0..shared.addresses.count() {
            for name in 0..shared.load.names {
                wait_until("a last read", || {
                    let outcome = last.perform(replica, name, Action::Read);
                    matches!(outcome, Outcome::Saw(_)) || shared.has_offences()
                });
            }
        }
        println!("{}", shared.recorder.summary());
        self.expect_no_offence();
        self.shared.recorder.expect_linearizable();
    }

    #[track_caller]
    fn expect_no_offence(&self) {
        // Not kept locked while this fails: the clients look at it to know that they should stop.
        let offences = self.shared.offences.lock().unwrap().clone();
        assert!(offences.is_empty(), "{}", offences.join("\n"));
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        // When a test fails, too; each client ends after the request that it waits for.
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}
