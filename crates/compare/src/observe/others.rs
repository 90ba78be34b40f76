//! How busy the machine was with what is no part of the comparison.

use std::thread;
use std::time::Instant;

use procfs::{CpuTime, CurrentSI as _, KernelStats};

use crate::report::ProcessUse;

/// Since when, and how busy the machine had been until then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Others {
    since: Instant,
    busy_s: Option<f64>,
}

impl Others {
    /// From now on.
    pub(super) fn begin() -> Others {
        Others {
            since: Instant::now(),
            busy_s: busy_s(),
        }
    }

    /// The share of the machine's processor time since then that none of these processes used, 0
    /// to 1. It contains the kernel's work that is not done for a process.
    pub(super) fn share(self, used: &[ProcessUse]) -> Option<f64> {
        let processors = thread::available_parallelism().ok()?.get() as f64;
        let busy_s = busy_s()? - self.busy_s?;
        let known_s: f64 = used.iter().map(|process| process.cpu_s).sum();
        share(
            busy_s - known_s,
            processors * self.since.elapsed().as_secs_f64(),
        )
    }
}

fn share(others_s: f64, capacity_s: f64) -> Option<f64> {
    (capacity_s > 0.0).then(|| (others_s / capacity_s).clamp(0.0, 1.0))
}

/// Of all processors since the start: all but idle, and waiting for a disk, which is idle as well.
fn busy_s() -> Option<f64> {
    let CpuTime {
        user,
        nice,
        system,
        irq,
        softirq,
        steal,
        ..
    } = KernelStats::current().ok()?.total;
    let ticks = user + nice + system + irq? + softirq? + steal?;
    Some(ticks as f64 / procfs::ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_known_is_not_the_others() {
        assert_eq!(share(3.0, 10.0), Some(0.3));
        // Ticks are counted by whole ones.
        assert_eq!(share(-0.1, 10.0), Some(0.0));
        assert_eq!(share(0.0, 0.0), None);
    }

    #[test]
    fn a_process_that_is_no_part_of_it_is_seen() {
        let others = Others::begin();
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(300) {
            std::hint::black_box(0);
        }
        let share = others.share(&[]).unwrap();
        let processors = thread::available_parallelism().unwrap().get() as f64;
        assert!(share > 0.5 / processors, "{share}");
        let itself = ProcessUse {
            process: "compare",
            // More than there is, since the system counts in ticks.
            cpu_s: began.elapsed().as_secs_f64() * processors * 2.0,
            memory_bytes_max: 0,
        };
        assert_eq!(others.share(&[itself]), Some(0.0));
    }
}
