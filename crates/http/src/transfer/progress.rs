//! How far an import or an export is: a bar on a terminal, else a line now and then.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a line is written where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// See the module. It is gone when dropped.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Progress {
    /// Of a file of so many bytes, if that is known.
    pub(super) fn new(bytes: Option<u64>) -> Progress {
        let is_terminal = std::io::stderr().is_terminal();
        Progress {
            bar: is_terminal.then(|| bar(bytes)),
            told: Instant::now(),
        }
    }

    /// Shows how many bytes are done, and what that means.
    pub(super) fn show(&mut self, bytes: u64, done: impl FnOnce() -> String) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(bytes);
                bar.set_message(done());
            }
            None if self.told.elapsed() >= LINE_INTERVAL => {
                self.told = Instant::now();
                write_line(&done());
            }
            None => {}
        }
    }

    /// Writes a line beside the bar.
    pub(super) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| write_line(line)),
            None => write_line(line),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(bytes: Option<u64>) -> ProgressBar {
    let template = match bytes {
        Some(_) => "{bar:30} {percent:>3} % {msg}, {eta} left",
        None => "{spinner} {elapsed} {msg}",
    };
    let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr());
    // Without this style, it has the library's own.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn write_line(line: &str) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{line}");
}
