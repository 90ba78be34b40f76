//! The memory of a process, as Linux tells it.

use std::fs;

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
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let kib = |field| {
        kib(&status, field).ok_or_else(|| format!("/proc/{id}/status does not have {field}"))
    };
    Ok(Memory {
        now_kib: kib("VmRSS:")?,
        most_kib: kib("VmHWM:")?,
    })
}

fn kib(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_name() {
        let status = "VmPeak:\t  9 kB\nVmHWM:\t    1234 kB\nVmRSS:\t     567 kB\n";
        assert_eq!(kib(status, "VmHWM:"), Some(1234));
        assert_eq!(kib(status, "VmRSS:"), Some(567));
        assert_eq!(kib(status, "VmSwap:"), None);
    }
}
