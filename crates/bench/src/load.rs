//! Load by wrk, a process of its own.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::Result;
use crate::load_result::Load;
use crate::plan::Plan;
use crate::processor;

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
pub(crate) const THREADS: u32 = 2;

/// How long a load lasts that comes before one that is measured.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);

/// How long an answer may take. One that takes longer counts as none.
const ANSWER_MAX: &str = "30s";

/// What wrk is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a> {
    pub(crate) script: Script,
    pub(crate) base_url: &'a str,
    /// A method and a path, of which `script` may add the end.
    pub(crate) target: &'a str,
    pub(crate) connections: u32,
    pub(crate) threads: u32,
    pub(crate) duration: Duration,
}

impl Order<'_> {
    /// Runs it.
    pub(crate) fn run(&self, plan: &Plan) -> Result<Load> {
        self.start(plan)?.finish()
    }

    /// Runs it for a moment, before one that is measured.
    pub(crate) fn warm_up(&self, plan: &Plan) -> Result<Load> {
        let warm_up = Order {
            duration: WARM_UP,
            ..*self
        };
        warm_up.run(plan)
    }

    /// Starts it.
    pub(crate) fn start(&self, plan: &Plan) -> Result<RunningLoad> {
        static RUN: AtomicU32 = AtomicU32::new(0);
        let run = format!("{}-{}", plan.run, RUN.fetch_add(1, Ordering::Relaxed));
        let child = Command::new("wrk")
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{}s", self.duration.as_secs().max(1)))
            .arg(format!("-t{}", self.connections.min(self.threads)))
            .args(["--timeout", ANSWER_MAX, "-s", self.script.path()])
            .args([self.base_url, "--", &run, self.target])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("wrk: {error}"))?;
        Ok(RunningLoad(child))
    }
}

/// One load that runs.
#[derive(Debug)]
pub(crate) struct RunningLoad(Child);

impl RunningLoad {
    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Result<Load> {
        let mut text = String::new();
        if let Some(mut stdout) = self.0.stdout.take() {
            stdout.read_to_string(&mut text)?;
        }
        // It has ended, and is still there to be asked.
        let id = WaitId::Pid(Pid::from_child(&self.0));
        waitid(id, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
        let cpu_s = processor::seconds_of(self.0.id())?;
        let status = self.0.wait()?;
        figures(&text, cpu_s).ok_or_else(|| format!("wrk ended with {status}:\n{text}").into())
    }
}

impl Drop for RunningLoad {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the script has written at its end.
fn figures(text: &str, cpu_s: f64) -> Option<Load> {
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
        cpu_s,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_add_up_beside_each_other_and_in_turn() {
        let load = |text| figures(text, 0.25).unwrap();
        let first = load("FIGURES 1000 2000000 10 1 500 1500 2500");
        let second = load("FIGURES 3000 2000000 0 0 400 1600 2000");
        let together = Load::together(&[first.clone(), second.clone()]);
        assert_eq!((together.succeeded, together.unsuccessful()), (3990, 11));
        assert_eq!((together.per_second(), together.cpu_s), (1995.0, 0.5));
        assert_eq!((together.p50_ms, together.p99_ms), (0.5, 1.6));
        let in_turn = Load::one_after_the_other(&first, &second);
        assert_eq!(in_turn.per_second(), 997.5);
    }

    #[test]
    fn the_figures_are_found_in_the_output_of_wrk() {
        let text = "Running 2s test\nFIGURES 1000 2000000 10 1 500 1500 2500\n";
        let load = figures(text, 0.5).unwrap();
        assert_eq!((load.succeeded, load.failed, load.broken), (990, 10, 1));
        assert_eq!((load.unsuccessful(), load.cpu_s), (11, 0.5));
        assert_eq!(load.per_second(), 495.0);
        assert_eq!((load.p50_ms, load.p99_ms, load.p999_ms), (0.5, 1.5, 2.5));
        assert!(figures("unable to connect", 0.0).is_none());
        assert!(figures("FIGURES 1 2\n", 0.0).is_none());
    }
}
