//! One service on one set of parts, and the process of it that many checks share.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use testkit::parts::{Installation, Parts, RunningService};
use testkit::service::Service;

use crate::api::Api;

/// How long the last check that runs waits for another one before it stops the shared process. The test
/// runner starts the next check within milliseconds, and does not tell which check is the last.
const LINGER: Duration = Duration::from_millis(200);

/// How many lines of the shared process's output a failing check prints.
const LOG_LINES_SHOWN: usize = 60;

/// A service on a set of parts.
#[derive(Debug)]
pub(crate) struct Combination {
    service: Service,
    parts: Parts,
    shared: Mutex<Shared>,
    joined: Condvar,
}

#[derive(Debug)]
struct Shared {
    running: Option<Arc<RunningService>>,
    turns: usize,
}

impl Combination {
    pub(crate) const fn new(service: Service, parts: Parts) -> Self {
        let shared = Shared {
            running: None,
            turns: 0,
        };
        Combination {
            service,
            parts,
            shared: Mutex::new(shared),
            joined: Condvar::new(),
        }
    }

    /// Begins a check. While any check runs, the shared process stays.
    pub(crate) fn turn(&'static self) -> Turn {
        self.lock().turns += 1;
        self.joined.notify_all();
        Turn { combination: self }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A check that could not start the process has panicked; the next one tries again.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a check is given.
#[derive(Debug)]
pub(crate) struct Turn {
    combination: &'static Combination,
}

impl Turn {
    pub(crate) fn service(&self) -> Service {
        self.combination.service
    }

    pub(crate) fn parts(&self) -> Parts {
        self.combination.parts
    }

    pub(crate) fn is_write_behind(&self) -> bool {
        self.service() == Service::WriteBehind
    }

    /// The process that other checks use at the same time, each with names of its own.
    pub(crate) fn shared(&self) -> Api {
        let mut shared = self.combination.lock();
        let running = shared
            .running
            .get_or_insert_with(|| Arc::new(self.parts().start(self.service())));
        Api::of(running)
    }

    /// A process for this check alone.
    pub(crate) fn start(&self) -> RunningService {
        self.parts().start(self.service())
    }

    /// Parts for this check alone, on which nothing runs yet.
    pub(crate) fn install(&self) -> Installation {
        self.parts().install(self.service())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut shared = self.combination.lock();
        if thread::panicking()
            && let Some(running) = &shared.running
        {
            let logs = running.logs();
            let lines: Vec<&str> = logs.lines().collect();
            let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!(
                "--- end of the shared process's output\n{}",
                shown.join("\n")
            );
        }
        shared.turns -= 1;
        if shared.turns == 0 {
            let no_clients = |shared: &mut Shared| shared.turns == 0;
            let waited = self
                .combination
                .joined
                .wait_timeout_while(shared, LINGER, no_clients);
            let (mut shared, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if shared.turns == 0 {
                // Stopped while the lock is held, so that the next check starts after it is gone.
                shared.running = None;
            }
        }
    }
}

/// A name that no other check has.
pub(crate) fn own_name(topic: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{topic} {}", NEXT.fetch_add(1, Ordering::Relaxed))
}
