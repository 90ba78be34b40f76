//! The memory of a process, as Linux tells it.

use procfs::process::Process;

use crate::Result;
use crate::figures::{Measure, Row};

const RESIDENT: Measure = Measure::less("RSS MiB", 1);
pub(crate) const PEAK: Measure = Measure::less("peak MiB", 1);

/// A service's resident memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    now_kib: u64,
    most_kib: u64,
}

impl Memory {
    pub(crate) fn now_mib(self) -> f64 {
        self.now_kib as f64 / 1024.0
    }

    pub(crate) fn most_mib(self) -> f64 {
        self.most_kib as f64 / 1024.0
    }

    pub(crate) fn add_to(self, row: &mut Row<'_>) {
        row.add(RESIDENT, self.now_mib());
        row.add(PEAK, self.most_mib());
    }
}

/// The resident memory of a process.
pub(crate) fn of_process(id: u32) -> Result<Memory> {
    let status = Process::new(id.try_into()?)?.status()?;
    let told = |kib: Option<u64>| kib.ok_or("Linux does not tell the memory of a process");
    Ok(Memory {
        now_kib: told(status.vmrss)?,
        most_kib: told(status.vmhwm)?,
    })
}
