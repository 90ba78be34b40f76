//! A process that does nothing for a while.

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;

/// Until this is dropped.
#[derive(Debug)]
pub(crate) struct Paused(Pid);

impl Paused {
    pub(crate) fn pause(id: Pid) -> Result<Paused> {
        kill_process(id, Signal::STOP)?;
        Ok(Paused(id))
    }

    pub(crate) fn resume(self) -> Result<()> {
        Ok(kill_process(self.0, Signal::CONT)?)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}
