//! Receives the signals to stop: Ctrl-C, SIGTERM, or a terminal that is closed.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write as _};

use procfs::process::Process;
use rustix::stdio::{dup2_stderr, dup2_stdout};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::say::say;
use crate::started;

/// Becomes true when what is being done is to be ended before its time.
pub type Stop = watch::Receiver<bool>;

/// Listens for the signals from now on. What was begun is ended in order at the first one. At the
/// second one everything that was started is killed, and the process ends at once with
/// [`EXIT_INTERRUPTED`].
///
/// # Errors
/// When signals cannot be listened for.
pub fn on_signals() -> Result<Stop> {
    let listen = |kind| signal(kind).map_err(|error| Error::failed("listening for signals", error));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    // Under `nohup` the tool goes on when the terminal is closed.
    let mut hang_up = match is_ignored(SignalKind::hangup()) {
        true => None,
        false => Some(listen(SignalKind::hangup())?),
    };
    let terminals = Terminals::now();
    let (told, stop) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = received(hang_up.as_mut()) => terminals.are_gone(),
        }
        told.send_replace(true);
        // A terminal shows what was typed at the begin of the line.
        let _ = writeln!(io::stderr());
        say("ending; once more to end at once");
        // A closed terminal sends the signal more than once, which must not count as twice.
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                () = received(hang_up.as_mut()) => terminals.are_gone(),
            }
        }
        started::end_at_once(EXIT_INTERRUPTED, |databases| {
            if !databases.is_empty() {
                say(&format!(
                    "may be left, with what belongs to them in Redis: {}",
                    databases.join(", ")
                ));
            }
        });
    });
    Ok(stop)
}

/// What a shell makes of a process that Ctrl-C has ended.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Whether it is so already.
pub fn is_told(stop: &Stop) -> bool {
    *stop.borrow()
}

/// Waits until the tool is told to stop; for ever once the sender is dropped.
pub async fn told(stop: &mut Stop) {
    if stop.wait_for(|told| *told).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn received(signal: Option<&mut Signal>) {
    let came = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if came.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Whether the process that started this one has it ignore the signal.
fn is_ignored(kind: SignalKind) -> bool {
    let status = Process::myself().and_then(|own| own.status());
    // The first signal has the lowest bit.
    status.is_ok_and(|status| status.sigign >> (kind.as_raw_value() - 1) & 1 == 1)
}

/// Which outputs are a terminal.
struct Terminals {
    stdout: bool,
    stderr: bool,
}

impl Terminals {
    fn now() -> Terminals {
        Terminals {
            stdout: io::stdout().is_terminal(),
            stderr: io::stderr().is_terminal(),
        }
    }

    /// Redirects closed terminals to `/dev/null`. Writing to a closed one is an error, so that a
    /// `println!` would panic and skip the clean-up.
    fn are_gone(&self) {
        let Ok(nowhere) = OpenOptions::new().write(true).open("/dev/null") else {
            return;
        };
        if self.stdout {
            let _ = dup2_stdout(&nowhere);
        }
        if self.stderr {
            let _ = dup2_stderr(&nowhere);
        }
    }
}
