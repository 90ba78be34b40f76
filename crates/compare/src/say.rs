//! Lines on standard error, and a bar where that is a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};

/// How often the bar moves.
const BAR_INTERVAL: Duration = Duration::from_millis(250);
/// How often a line is written where there is no terminal for a bar.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Writes a line to standard error. A closed standard error is no reason to stop.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "compare: {text}");
}

/// A bar that moves while a load runs; where standard error is no terminal, lines. It goes when it
/// is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    task: JoinHandle<()>,
}

impl Progress {
    /// Shows a load that begins now and lasts so long.
    pub fn start(what: &str, duration: Duration) -> Progress {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = is_terminal.then(|| bar(what, duration));
        let every = match is_terminal {
            true => BAR_INTERVAL,
            false => LINE_INTERVAL,
        };
        let (moved, what) = (bar.clone(), what.to_owned());
        let task = tokio::spawn(async move {
            let began = Instant::now();
            let mut ticks = interval(every);
            loop {
                ticks.tick().await;
                match &moved {
                    Some(bar) => bar.set_position(milliseconds(began.elapsed())),
                    None => say(&format!("{what}, {:.0} s", began.elapsed().as_secs_f64())),
                }
            }
        });
        Progress { bar, task }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(what: &str, duration: Duration) -> ProgressBar {
    let bar = ProgressBar::new(milliseconds(duration));
    // Without this style it has the library's own.
    if let Ok(style) = ProgressStyle::with_template("{prefix:40} {bar:30}") {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_owned());
    bar
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
