//! Lines on standard error.

use std::io::Write as _;

/// Writes a line to standard error. A closed standard error is no reason to stop.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "compare: {text}");
}
