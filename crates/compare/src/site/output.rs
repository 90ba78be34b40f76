//! Reads what a process writes until its end, so that the process never blocks on a full
//! pipe.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot::Sender;

/// How many lines are kept: the last ones.
const LINES_MAX: usize = 30;
/// How much of a line is read at once. A longer one counts as several.
const LINE_BYTES_MAX: u64 = 4 << 10;

/// The last lines that were written.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        lines.join("\n")
    }
}

/// Reads until the end. The first address at which the process says that it listens goes to
/// `listening`, which is dropped at the end if there is none.
pub(super) fn keep_reading(
    output: impl Read + Send + 'static,
    tail: Tail,
    mut listening: Option<Sender<SocketAddr>>,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while matches!(
            (&mut output)
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut line),
            Ok(1..)
        ) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if let Some(address) = address_in(&text)
                && let Some(listening) = listening.take()
            {
                // The receiver may be gone.
                let _ = listening.send(address);
            }
            tail.push(text);
            line.clear();
        }
    })
}

/// The address in `listening  http://ADDRESS`.
fn address_in(line: &str) -> Option<SocketAddr> {
    let rest = line.trim_start().strip_prefix("listening")?;
    rest.trim_start().strip_prefix("http://")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_in_the_line_that_says_listening() {
        assert_eq!(
            address_in("  listening  http://127.0.0.1:80"),
            Some(([127, 0, 0, 1], 80).into())
        );
        assert_eq!(
            address_in("  try        curl -X POST http://127.0.0.1:80/x"),
            None
        );
    }

    #[test]
    fn the_last_lines_are_kept() {
        let tail = Tail::default();
        let text: String = (0..100).map(|number| format!("{number}\n")).collect();
        let reader = keep_reading(std::io::Cursor::new(text), tail.clone(), None);
        reader.join().unwrap();
        let text = tail.text();
        assert_eq!(text.lines().count(), LINES_MAX);
        assert_eq!(text.lines().next(), Some("70"));
        assert_eq!(text.lines().last(), Some("99"));
    }
}
