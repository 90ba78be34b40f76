//! What the operating system says of the process, under the names that every Prometheus client has.

use metrics::{counter, gauge};
use procfs::process::{LimitValue, Process, Stat};
use procfs::{ProcResult, WithCurrentSystemInfo as _};

/// Reads it into the metrics. What cannot be read keeps its last value.
pub(super) fn collect() {
    if let Err(error) = read() {
        tracing::debug!(%error, "the process cannot be looked at");
    }
}

fn read() -> ProcResult<()> {
    let process = Process::myself()?;
    take(&process.stat()?)?;
    gauge!("process_open_fds").set(process.fd_count()? as f64);
    let max = match process.limits()?.max_open_files.soft_limit {
        LimitValue::Value(max) => max as f64,
        LimitValue::Unlimited => f64::INFINITY,
    };
    gauge!("process_max_fds").set(max);
    Ok(())
}

fn take(stat: &Stat) -> ProcResult<()> {
    let ticks = procfs::ticks_per_second();
    counter!("process_cpu_seconds_total").absolute((stat.utime + stat.stime) / ticks);
    gauge!("process_resident_memory_bytes").set(stat.rss_bytes().get() as f64);
    gauge!("process_virtual_memory_bytes").set(stat.vsize as f64);
    gauge!("process_threads").set(stat.num_threads as f64);
    let after_boot_s = stat.starttime as f64 / ticks as f64;
    let started_s = procfs::boot_time_secs()? as f64 + after_boot_s;
    gauge!("process_start_time_seconds").set(started_s);
    Ok(())
}
