//! Waiting for a condition, and never for ever.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take to come about.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Waits until `holds`, and looks again and again.
///
/// # Panics
///
/// When it does not within [`WAIT_TIMEOUT`]; says `what` was waited for.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + WAIT_TIMEOUT;
    while !holds() {
        assert!(
            Instant::now() < deadline,
            "not within {WAIT_TIMEOUT:?}: {what}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}
