//! Writers and readers at work, while a test breaks something.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::endpoints::{Caller, Endpoints};
use crate::ledger::Ledger;
use crate::readers;
use crate::seed::Seed;
use crate::writers::Writer;
use testkit::wait::wait_until;

/// How much of what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) names: usize,
    pub(crate) writers: usize,
    pub(crate) readers: usize,
    /// How long one request may take.
    pub(crate) wait_timeout: Duration,
    /// Between two requests of a thread, so that the machine is left to others too.
    pub(crate) pause: Duration,
}

impl Load {
    /// What most tests take.
    pub(crate) const USUAL: Load = Load {
        names: 240,
        writers: 6,
        readers: 2,
        wait_timeout: Duration::from_secs(30),
        pause: Duration::from_millis(2),
    };
}

/// Threads that write and read until [`Workload::end`].
#[derive(Debug)]
pub(crate) struct Workload {
    ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Workload {
    pub(crate) fn start(seed: Seed, endpoints: &Endpoints, load: Load) -> Self {
        let mut workload = Workload {
            ledger: Arc::new(Ledger::new(load.names)),
            stop: Arc::default(),
            threads: Vec::new(),
        };
        for number in 0..load.writers {
            let writer = Writer {
                caller: Caller::new(endpoints, number, load.wait_timeout),
                choices: seed.choices(number as u64),
                names: (number..load.names).step_by(load.writers).collect(),
                may_come_late: endpoints.count() > 1,
                pause: load.pause,
            };
            workload.spawn(move |ledger, stop| writer.run(ledger, stop));
        }
        for number in load.writers..load.writers + load.readers {
            let caller = Caller::new(endpoints, number, load.wait_timeout);
            let choices = seed.choices(number as u64);
            workload.spawn(move |ledger, stop| {
                readers::run(ledger, caller, choices, load.pause, stop);
            });
        }
        workload
    }

    fn spawn(&mut self, run: impl FnOnce(&Ledger, &AtomicBool) + Send + 'static) {
        let (ledger, stop) = (self.ledger.clone(), self.stop.clone());
        self.threads
            .push(thread::spawn(move || run(&ledger, &stop)));
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Waits until so many more writes are acknowledged.
    #[track_caller]
    pub(crate) fn acknowledges(&self, more: u64) {
        let enough = self.ledger.acknowledged() + more;
        self.works_until("more writes are acknowledged", || {
            self.ledger.acknowledged() >= enough
        });
    }

    /// Waits until something holds, and not beyond an offence, at which all clients
    /// stop.
    #[track_caller]
    pub(crate) fn works_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        wait_until(what, || holds() || self.ledger.has_offences());
        self.ledger.expect_no_offence();
    }

    /// Ends all threads; what was wrong fails the test.
    #[track_caller]
    pub(crate) fn end(mut self) -> Arc<Ledger> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("a writer or reader");
        }
        let ledger = self.ledger.clone();
        println!(
            "{} writes acknowledged, {} unanswered, {} reads",
            ledger.acknowledged(),
            ledger.unanswered(),
            ledger.reads()
        );
        ledger.expect_no_offence();
        ledger
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        // When a test fails, too; each thread ends after the request that it waits for.
        self.stop.store(true, Ordering::Relaxed);
    }
}
