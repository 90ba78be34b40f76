//! Load by wrk, a process of its own.

use std::fmt::Display;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::Result;
use crate::figures::Load;
use crate::plan::Plan;

/// Below `crates/bench/lua`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// Writes of names that were never written before.
    Unique,
    /// Writes of few names.
    Hot,
    /// Reads.
    Reads,
}

impl Script {
    fn path(self) -> &'static str {
        match self {
            Script::Unique => "crates/bench/lua/unique.lua",
            Script::Hot => "crates/bench/lua/hot.lua",
            Script::Reads => "crates/bench/lua/reads.lua",
        }
    }
}

/// How many threads make a load; each needs a connection.
const THREADS_MAX: u32 = 2;

/// How long a load lasts that comes before one that is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long an answer may take. One that takes longer counts as none.
const ANSWER_MAX: &str = "30s";

/// One load that runs.
#[derive(Debug)]
pub(crate) struct RunningLoad(Option<Child>);

impl RunningLoad {
    /// Starts it. `target` is a method and a path, of which `script` may add the end.
    pub(crate) fn start(
        plan: &Plan,
        script: Script,
        base_url: &str,
        target: &str,
        connections: u32,
        duration: Duration,
    ) -> Result<RunningLoad> {
        static RUN: AtomicU32 = AtomicU32::new(0);
        let run = format!("{}-{}", plan.run, RUN.fetch_add(1, Ordering::Relaxed));
        let child = Command::new("wrk")
            .arg(format!("-c{connections}"))
            .arg(format!("-d{}s", duration.as_secs().max(1)))
            .arg(format!("-t{}", connections.min(THREADS_MAX)))
            .args(["--timeout", ANSWER_MAX, "-s", script.path()])
            .args([base_url, "--", &run, target])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("wrk: {error}"))?;
        Ok(RunningLoad(Some(child)))
    }

    /// Tells it to end before its time, with the figures until now.
    pub(crate) fn interrupt(&self) -> Result<()> {
        if let Some(child) = &self.0 {
            kill_process(Pid::from_child(child), Signal::INT)?;
        }
        Ok(())
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        match &mut self.0 {
            Some(child) => Ok(child.try_wait()?.is_some()),
            None => Ok(true),
        }
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Result<Load> {
        let child = self.0.take().ok_or("wrk has ended already")?;
        let output = child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        figures(&text).ok_or_else(|| format!("wrk ended with {}:\n{text}", output.status).into())
    }
}

impl Drop for RunningLoad {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A warm-up and a load, one after the other.
#[derive(Debug)]
pub(crate) struct WarmLoad {
    pub(crate) warm_up: Load,
    pub(crate) load: Load,
}

/// Runs both, on connections of their own.
pub(crate) fn run(
    plan: &Plan,
    script: Script,
    base_url: &str,
    target: impl Display,
    connections: u32,
) -> Result<WarmLoad> {
    let target = target.to_string();
    let run = |duration| {
        RunningLoad::start(plan, script, base_url, &target, connections, duration)?.finish()
    };
    Ok(WarmLoad {
        warm_up: run(WARM_UP)?,
        load: run(plan.load)?,
    })
}

/// What the script has written at its end.
fn figures(text: &str) -> Option<Load> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("FIGURES "))?;
    let numbers: Vec<u64> = line
        .split(' ')
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()
        .ok()?;
    let &[
        requests,
        duration_us,
        failed,
        broken,
        p50_us,
        p99_us,
        p999_us,
    ] = numbers.as_slice()
    else {
        return None;
    };
    let milliseconds = |microseconds: u64| microseconds as f64 / 1e3;
    Some(Load {
        succeeded: requests.checked_sub(failed)?,
        failed,
        broken,
        seconds: duration_us as f64 / 1e6,
        p50_ms: milliseconds(p50_us),
        p99_ms: milliseconds(p99_us),
        p999_ms: milliseconds(p999_us),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_found_in_the_output_of_wrk() {
        let text = "Running 2s test\nFIGURES 1000 2000000 10 1 500 1500 2500\n";
        let load = figures(text).unwrap();
        assert_eq!((load.succeeded, load.failed, load.broken), (990, 10, 1));
        assert_eq!(load.per_second(), 495.0);
        assert_eq!((load.p50_ms, load.p99_ms, load.p999_ms), (0.5, 1.5, 2.5));
        assert!(figures("unable to connect").is_none());
        assert!(figures("FIGURES 1 2\n").is_none());
    }
}
