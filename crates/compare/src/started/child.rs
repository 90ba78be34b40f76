//! A process of the tool's own.

use std::io;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::time::sleep;

use super::{spawn_in_a_group_of_its_own, started};

/// How often it is looked after whether one has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A child that leads a process group of its own. Dropping it kills that group.
#[derive(Debug)]
pub(crate) struct StartedChild {
    child: Child,
    status: Option<ExitStatus>,
}

impl StartedChild {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<StartedChild> {
        let mut started = started();
        let child = spawn_in_a_group_of_its_own(command)?;
        started.children.push(Pid::from_child(&child));
        Ok(StartedChild {
            child,
            status: None,
        })
    }

    /// Its id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard output, once, if that is piped.
    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Its standard error, once, if that is piped.
    pub(crate) fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            let mut started = started();
            self.status = self.child.try_wait().ok().flatten();
            if self.status.is_some() {
                let pid = Pid::from_child(&self.child);
                started.children.retain(|kept| *kept != pid);
            }
        }
        self.status
    }

    /// The same after waiting for it, for so long at most.
    pub(crate) async fn ended_within(&mut self, wait_timeout: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + wait_timeout;
        while self.ended().is_none() && Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
        }
        self.status
    }

    /// Waits for its end, however long that takes.
    pub(crate) async fn wait(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Sends its group a signal, if it has not ended.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            // It may end this very moment, which is as well: it is not waited for, so its id is
            // still its own.
            let _ = kill_process_group(Pid::from_child(&self.child), signal);
        }
    }
}

impl Drop for StartedChild {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if self.status.is_none() {
            let mut started = started();
            let _ = self.child.wait();
            let pid = Pid::from_child(&self.child);
            started.children.retain(|kept| *kept != pid);
        }
    }
}
