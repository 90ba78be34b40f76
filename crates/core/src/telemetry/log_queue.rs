//! Lines of the log on their way to standard error.
//!
//! A thread that logs adds a line here and goes on. Another thread writes the lines. While that waits
//! for the log's reader, lines over the bound are dropped and counted.

use std::io::{self, ErrorKind, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::timing;
use metrics::counter;

/// Most bytes of lines that wait to be written. The thread may be writing as many again.
const BYTES_MAX: usize = 1 << 20;

/// The metric that counts dropped lines.
pub(super) const DROPPED: &str = "write_cache_log_lines_dropped_total";

/// The queue of the process.
pub(super) static QUEUE: LogQueue = LogQueue::new();

#[derive(Debug)]
pub(super) struct LogQueue {
    state: Mutex<Queued>,
    changed: Condvar,
}

#[derive(Debug)]
struct Queued {
    lines: String,
    dropped: u64,
    is_writing: bool,
}

impl LogQueue {
    pub(super) const fn new() -> LogQueue {
        LogQueue {
            state: Mutex::new(Queued {
                lines: String::new(),
                dropped: 0,
                is_writing: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Adds a line, which ends with a line feed, or drops it.
    pub(super) fn push(&self, line: String) {
        let mut queued = self.lock();
        if queued.lines.len() + line.len() <= BYTES_MAX {
            queued.lines.push_str(&line);
            self.changed.notify_all();
            return;
        }
        queued.dropped += 1;
        drop(queued);
        counter!(DROPPED).increment(1);
    }

    /// Writes all lines that are added, for ever.
    pub(super) fn write_to(&self, mut output: impl Write) {
        loop {
            self.write_batch(&mut output);
        }
    }

    /// Waits for lines, writes them, and logs how many were dropped meanwhile.
    pub(super) fn write_batch(&self, output: &mut impl Write) {
        let queued = self.lock();
        let waited = self
            .changed
            .wait_while(queued, |queued| queued.lines.is_empty());
        let mut queued = waited.unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut queued.lines);
        queued.is_writing = true;
        drop(queued);
        write_whole(output, lines.as_bytes());
        let mut queued = self.lock();
        queued.is_writing = false;
        let dropped = std::mem::take(&mut queued.dropped);
        drop(queued);
        if dropped > 0 {
            let why = "log lines were dropped, since standard error was not read";
            tracing::warn!(lines = dropped, "{why}");
        }
        self.changed.notify_all();
    }

    /// Returns when all lines are written, or after `timeout`.
    pub(super) fn wait_until_empty(&self, timeout: Duration) {
        let has_lines = |queued: &mut Queued| queued.is_writing || !queued.lines.is_empty();
        // Whether it has ended or timed out: there is no more to do.
        let _ = self
            .changed
            .wait_timeout_while(self.lock(), timeout, has_lines);
    }

    fn lock(&self) -> MutexGuard<'_, Queued> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error means that there is no reader, and nothing else to tell of it.
fn write_whole(output: &mut impl Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return,
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(timing::LOG_RETRY_INTERVAL)
            }
            Err(_) => return,
        }
    }
    let _: io::Result<()> = output.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_over_the_bound_are_dropped_and_a_wait_for_the_rest_ends() {
        let queue = LogQueue::new();
        let line = format!("{}\n", "x".repeat(BYTES_MAX / 4 - 1));
        for _ in 0..6 {
            queue.push(line.clone());
        }
        assert_eq!(queue.lock().dropped, 2);
        queue.wait_until_empty(Duration::ZERO);
        let mut written = Vec::new();
        queue.write_batch(&mut written);
        assert_eq!(written.len(), BYTES_MAX);
        queue.wait_until_empty(Duration::MAX);
    }

    #[test]
    fn an_output_that_does_not_block_is_retried() {
        struct Stubborn(Vec<u8>, bool);
        impl Write for Stubborn {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 = !self.1;
                if self.1 {
                    return Err(ErrorKind::WouldBlock.into());
                }
                self.0.push(bytes[0]);
                Ok(1)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut output = Stubborn(Vec::new(), false);
        write_whole(&mut output, b"abc\n");
        assert_eq!(output.0, b"abc\n");
    }
}
