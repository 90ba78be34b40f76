//! What Linux says of a process.

use procfs::process::Process;

/// What a process has used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Used {
    /// Processor time, user and system, since its start, in seconds.
    pub(super) cpu_s: f64,
    /// Resident memory now, in bytes.
    pub(super) memory_bytes: u64,
}

/// The processor time and memory of a process; `None` if there is no such process, or `/proc`
/// does not tell.
pub(super) fn used(pid: u32) -> Option<Used> {
    let process = Process::new(pid.try_into().ok()?).ok()?;
    let stat = process.stat().ok()?;
    Some(Used {
        cpu_s: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
        memory_bytes: process.status().ok()?.vmrss? * 1024,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    use super::*;

    #[test]
    fn who_burns_processor_time_and_memory_has_used_it() {
        let pid = std::process::id();
        let before = used(pid).unwrap();
        let burn = Duration::from_millis(300);
        let thread_time = || {
            let time = clock_gettime(ClockId::ThreadCPUTime);
            Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
        };
        let began = thread_time();
        let mut number = 1_u64;
        while thread_time() - began < burn {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        let memory = vec![1_u8; 64 << 20];
        let after = used(pid).unwrap();
        assert_eq!(std::hint::black_box(&memory).last(), Some(&1));
        // It is counted in whole ticks, of user and of system time.
        let tick_s = 1.0 / procfs::ticks_per_second() as f64;
        let burnt_s = after.cpu_s - before.cpu_s;
        assert!(burnt_s >= burn.as_secs_f64() - 2.0 * tick_s, "{burnt_s} s");
        assert!(after.memory_bytes >= 64 << 20, "{after:?}");
    }

    #[test]
    fn a_process_that_is_not_there_has_used_nothing() {
        assert_eq!(used(u32::MAX), None);
    }
}
