//! How long the driver waits for what.

use std::time::Duration;

/// How long an answer may take. A request without one by then has failed, and whether it has
/// an effect is unknown. After the end of a workload, what is in flight is waited for that long.
pub const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A test has others, so as not to wait for half a minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// For one answer, from when the request was sent.
    pub(super) answer: Duration,
    /// For all answers, when the load is stopped before its end.
    pub(super) stop: Duration,
    /// After which a connection without a request is exchanged for another one. A service closes
    /// one some time or other (after five seconds, those that are compared), and a request that
    /// is sent at just that moment fails without having told anything.
    pub(super) idle: Duration,
    /// How often all this is looked at.
    pub(super) heartbeat: Duration,
    /// For the last requests that were due to be taken by the connections that are free.
    pub(super) last_taken: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            answer: ANSWER_MAX,
            stop: Duration::from_secs(1),
            idle: Duration::from_secs(3),
            heartbeat: Duration::from_millis(200),
            last_taken: Duration::from_millis(10),
        }
    }
}

/// How long a connection that has failed is left alone: twice as long each time, up to the
/// second.
pub(super) const BACK_OFF: (Duration, Duration) =
    (Duration::from_millis(5), Duration::from_millis(100));
