//! Shows how far a load is, on standard error.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::drive::{Meter, Reading};
use crate::pattern::Pattern;

/// How often a bar moves.
const BAR_INTERVAL: Duration = Duration::from_millis(250);
/// How often a line is written where there is no terminal for a bar.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// A bar, or lines where standard error is no terminal, until it is finished or dropped.
#[derive(Debug)]
pub struct Progress {
    task: JoinHandle<()>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Shows a load of this pattern's service that begins now and lasts so long.
    pub fn start(pattern: Pattern, duration: Duration, meter: Arc<Meter>) -> Progress {
        let bar = std::io::stderr()
            .is_terminal()
            .then(|| bar(pattern, duration));
        let every = if bar.is_some() {
            BAR_INTERVAL
        } else {
            LINE_INTERVAL
        };
        let shown = bar.clone();
        let task = tokio::spawn(async move {
            let began = Instant::now();
            let mut last = (began, Reading::default());
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                let now = (Instant::now(), meter.read());
                let status = Status {
                    elapsed: now.0 - began,
                    duration,
                    per_second: rate(last, now),
                    failed: now.1.failed,
                };
                last = now;
                match &shown {
                    Some(bar) => {
                        bar.set_position(milliseconds(status.elapsed.min(duration)));
                        bar.set_message(status.figures());
                    }
                    None => {
                        // A closed standard error is no reason to stop.
                        let line = status.line(pattern);
                        let _ = writeln!(std::io::stderr(), "{line}");
                    }
                }
            }
        });
        Progress { task, bar }
    }

    /// Takes the bar away again.
    pub fn finish(self) {}
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(pattern: Pattern, duration: Duration) -> ProgressBar {
    let target = ProgressDrawTarget::stderr();
    let bar = ProgressBar::with_draw_target(Some(milliseconds(duration)), target);
    // Without this style, it has the library's own.
    if let Ok(style) = ProgressStyle::with_template("{prefix:13} {bar:30} {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(pattern.name());
    bar
}

/// What is shown at one time.
#[derive(Clone, Copy, Debug)]
struct Status {
    elapsed: Duration,
    duration: Duration,
    per_second: f64,
    failed: u64,
}

impl Status {
    /// `1,998/s, 0 failed, 12 s left`
    fn figures(&self) -> String {
        let Status {
            elapsed,
            duration,
            per_second,
            failed,
        } = self;
        let left_s = duration.saturating_sub(*elapsed).as_secs_f64().ceil();
        let left = if left_s > 0.0 {
            format!("{left_s} s left")
        } else {
            "waiting for the last answers".to_owned()
        };
        let per_second = HumanCount(per_second.round() as u64);
        format!("{per_second}/s, {} failed, {left}", HumanCount(*failed))
    }

    fn line(&self, pattern: Pattern) -> String {
        format!("{}: {}", pattern.name(), self.figures())
    }
}

/// What ended a second between two readings, failed or not.
fn rate(before: (Instant, Reading), after: (Instant, Reading)) -> f64 {
    let ended = |reading: Reading| reading.succeeded + reading.failed;
    let count = ended(after.1).saturating_sub(ended(before.1));
    let seconds = (after.0 - before.0).as_secs_f64();
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(elapsed: Duration) -> Status {
        Status {
            elapsed,
            duration: Duration::from_secs(20),
            per_second: 1_998.4,
            failed: 1_234_567,
        }
    }

    #[test]
    fn a_line_has_the_pattern_the_rate_what_failed_and_what_is_left() {
        assert_eq!(
            status(Duration::from_millis(7_500)).line(Pattern::WriteBehind),
            "write-behind: 1,998/s, 1,234,567 failed, 13 s left"
        );
        assert_eq!(
            status(Duration::from_secs(21)).line(Pattern::WriteThrough),
            "write-through: 1,998/s, 1,234,567 failed, waiting for the last answers"
        );
    }

    #[test]
    fn the_rate_is_that_of_the_time_between_two_readings() {
        let began = Instant::now();
        let reading = |succeeded, failed| Reading {
            due: 0,
            succeeded,
            failed,
        };
        let before = (began, reading(100, 10));
        let after = (began + Duration::from_secs(2), reading(300, 30));
        assert_eq!(rate(before, after), 110.0);
        assert_eq!(rate(after, after), 0.0);
    }
}
