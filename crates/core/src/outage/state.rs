//! Decides from how calls and probes end whether a part is unavailable. Pure: it is told the time.

use std::borrow::Cow;
use std::time::SystemTime;

use tokio::time::Instant;

use crate::error::Error;
use crate::timing;

use super::calls::Calls;
use super::words;

/// What ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A call of the service.
    Call,
    /// A question of the outage's own.
    Probe,
}

/// How many calls, for [`timing::FAILED_CALLS_TIMEOUT`] and without one that succeeds between them, are an
/// outage although the probes succeed.
const CALLS_MIN: u64 = 5;

/// A run of failures.
#[derive(Clone, Debug)]
struct Failing {
    since: Instant,
    last: Instant,
    count: u64,
}

/// One kind of call.
#[derive(Debug, Default)]
struct Line {
    calls: Option<Failing>,
    probes: Option<Failing>,
    problem: Option<Cow<'static, str>>,
    reason: String,
}

impl Line {
    fn is_failing(&self) -> bool {
        self.calls.is_some() || self.probes.is_some()
    }

    fn since(&self) -> Option<Instant> {
        let of = |failing: &Option<Failing>| failing.as_ref().map(|failing| failing.since);
        of(&self.calls).into_iter().chain(of(&self.probes)).min()
    }

    fn is_unavailable(&self) -> bool {
        let Some(since) = self.since() else {
            return false;
        };
        let by_probe = |probes: &Failing| probes.last - since >= timing::OUTAGE_TIMEOUT;
        let by_calls = |calls: &Failing| {
            calls.count >= CALLS_MIN && calls.last - calls.since >= timing::FAILED_CALLS_TIMEOUT
        };
        self.probes.as_ref().is_some_and(by_probe) || self.calls.as_ref().is_some_and(by_calls)
    }
}

/// An outage that is not over.
#[derive(Clone, Debug)]
pub(super) struct Down {
    pub(super) since: Instant,
    /// The same by the wall clock.
    pub(super) at: SystemTime,
    /// Calls that have failed since.
    pub(super) failed_calls: u64,
    /// The kind of call that it began with.
    pub(super) calls: Calls,
    /// What is wrong in the part's own words, for the log.
    pub(super) reason: String,
}

/// What has changed.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// The part has become unavailable.
    Down(Down),
    /// It is back.
    Back(Down),
    /// So many calls failed, and then one succeeded.
    Passed(u64, String),
}

/// How the calls and the probes of one part have ended lately.
#[derive(Debug)]
pub(super) struct State {
    reads: Line,
    writes: Line,
    down: Option<Down>,
    /// Of the time that is not an outage.
    up_since: SystemTime,
}

impl Default for State {
    fn default() -> State {
        State {
            reads: Line::default(),
            writes: Line::default(),
            down: None,
            up_since: SystemTime::now(),
        }
    }
}

impl State {
    fn line(&mut self, calls: Calls) -> &mut Line {
        match calls {
            Calls::Reads => &mut self.reads,
            Calls::Writes => &mut self.writes,
        }
    }

    /// Whether anything has failed since the last success of its kind.
    pub(super) fn is_failing(&self) -> bool {
        self.reads.is_failing() || self.writes.is_failing()
    }

    /// Whether this kind of call fails, and has failed for long enough.
    pub(super) fn is_unavailable(&self, calls: Calls) -> bool {
        match calls {
            Calls::Reads => self.reads.is_unavailable(),
            Calls::Writes => self.writes.is_unavailable(),
        }
    }

    /// The kind of call that an outage is about: reads are worse.
    pub(super) fn calls_unavailable(&self) -> Calls {
        match self.is_unavailable(Calls::Reads) {
            true => Calls::Reads,
            false => Calls::Writes,
        }
    }

    /// Since when this kind of call fails; where it does not, the other kind.
    pub(super) fn failing_since(&self, calls: Calls) -> Option<Instant> {
        let (this, other) = match calls {
            Calls::Reads => (&self.reads, &self.writes),
            Calls::Writes => (&self.writes, &self.reads),
        };
        this.since().or_else(|| other.since())
    }

    /// When the last outage ended, or the process began.
    pub(super) fn up_since(&self) -> SystemTime {
        self.up_since
    }

    /// What is wrong, for clients.
    pub(super) fn problem(&self, calls: Calls) -> Option<Cow<'static, str>> {
        match calls {
            Calls::Reads => self.reads.problem.clone(),
            Calls::Writes => self.writes.problem.clone(),
        }
    }

    /// In the driver's words where there are some: a probe of reads has none.
    fn reason(&self) -> &str {
        let lines = [&self.writes, &self.reads];
        let mut lines = lines.into_iter().filter(|line| line.is_failing());
        lines.next().map_or("", |line| &line.reason)
    }

    pub(super) fn down(&self) -> Option<&Down> {
        self.down.as_ref()
    }

    /// Counts calls that were refused while the part is unavailable.
    pub(super) fn refused(&mut self, count: u64) {
        if let Some(down) = &mut self.down {
            down.failed_calls += count;
        }
    }

    /// Notes that `count` calls that `began` then failed; `now` is when they ended.
    pub(super) fn failed(
        &mut self,
        (calls, by): (Calls, By),
        (began, now): (Instant, Instant),
        error: &Error,
        count: u64,
    ) -> Option<Event> {
        if let (By::Call, Some(down)) = (by, &mut self.down) {
            down.failed_calls += count;
        }
        let line = self.line(calls);
        line.problem = Some(words::for_clients(calls, error));
        line.reason = error.to_string();
        let failing = match by {
            By::Call => &mut line.calls,
            By::Probe => &mut line.probes,
        };
        let failing = failing.get_or_insert(Failing {
            since: began,
            last: now,
            count: 0,
        });
        failing.last = now;
        failing.count += count;
        self.changed(now)
    }

    /// Notes that a call or a probe succeeded.
    pub(super) fn succeeded(&mut self, calls: Calls, by: By, now: Instant) -> Option<Event> {
        let line = self.line(calls);
        let explained = line.probes.take().is_some();
        let is_quiet = |calls: &Failing| now - calls.last >= timing::FAILED_CALLS_LIFETIME;
        let ended = match by {
            By::Call => true,
            // What the failed probes explain is over with them.
            By::Probe => explained || line.calls.as_ref().is_some_and(is_quiet),
        };
        let passed = ended.then(|| line.calls.take()).flatten();
        let reason = std::mem::take(&mut line.reason);
        if let Some(event) = self.changed(now) {
            return Some(event);
        }
        match passed {
            Some(calls) if self.down.is_none() => Some(Event::Passed(calls.count, reason)),
            _ => {
                self.line(calls).reason = reason;
                None
            }
        }
    }

    fn changed(&mut self, now: Instant) -> Option<Event> {
        let unavailable = Calls::ALL
            .into_iter()
            .find(|calls| self.is_unavailable(*calls));
        match (unavailable, &self.down) {
            (Some(calls), None) => {
                let line = self.line(calls);
                let since = line.since().unwrap_or(now);
                let failed_calls = line.calls.as_ref().map_or(0, |calls| calls.count);
                let down = Down {
                    since,
                    at: SystemTime::now() - (now - since),
                    failed_calls,
                    calls,
                    reason: self.reason().to_owned(),
                };
                self.down = Some(down.clone());
                Some(Event::Down(down))
            }
            (None, Some(_)) => {
                self.up_since = SystemTime::now();
                self.down.take().map(Event::Back)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::error::Part;

    use super::*;

    const WRITE: (Calls, By) = (Calls::Writes, By::Call);
    const PROBE: (Calls, By) = (Calls::Writes, By::Probe);

    struct Told {
        state: State,
        start: Instant,
    }

    impl Told {
        fn new() -> Told {
            Told {
                state: State::default(),
                start: Instant::now(),
            }
        }

        fn at(&self, seconds: f64) -> Instant {
            self.start + Duration::from_secs_f64(seconds)
        }

        fn failed(&mut self, what: (Calls, By), began: f64, ended: f64) -> Option<Event> {
            let error = Error::unavailable(Part::Database, "gone");
            let times = (self.at(began), self.at(ended));
            self.state.failed(what, times, &error, 1)
        }

        fn succeeded(&mut self, (calls, by): (Calls, By), at: f64) -> Option<Event> {
            self.state.succeeded(calls, by, self.at(at))
        }
    }

    #[test]
    fn one_failed_call_is_no_outage() {
        let mut told = Told::new();
        assert!(told.failed(WRITE, 0.0, 3.0).is_none());
        assert!(told.succeeded(PROBE, 3.1).is_none());
        assert!(told.state.down().is_none());
        let passed = told.succeeded(WRITE, 3.2);
        assert!(matches!(passed, Some(Event::Passed(1, _))), "{passed:?}");
    }

    #[test]
    fn a_probe_confirms_what_has_failed_for_a_second() {
        let mut told = Told::new();
        assert!(told.failed(WRITE, 0.0, 0.0).is_none());
        assert!(told.failed(PROBE, 0.1, 0.1).is_none());
        let down = told.failed(PROBE, 1.0, 1.0);
        assert!(matches!(down, Some(Event::Down(_))), "{down:?}");
        assert_eq!(told.state.down().unwrap().since, told.at(0.0));
        assert!(
            told.state.is_unavailable(Calls::Writes) && !told.state.is_unavailable(Calls::Reads)
        );
        // A failure of the other kind is part of the same outage.
        assert!(told.failed((Calls::Reads, By::Probe), 2.0, 5.0).is_none());
        assert!(told.succeeded(PROBE, 6.0).is_none());
        let back = told.succeeded((Calls::Reads, By::Probe), 6.0);
        assert!(matches!(back, Some(Event::Back(_))), "{back:?}");
    }

    #[test]
    fn each_kind_of_call_has_its_own_beginning() {
        let mut told = Told::new();
        let reads = (Calls::Reads, By::Call);
        assert_eq!(told.state.failing_since(Calls::Reads), None);
        told.failed(WRITE, 1.0, 1.0);
        // Where no read fails, a write says for how long the part does.
        assert_eq!(told.state.failing_since(Calls::Reads), Some(told.at(1.0)));
        told.failed(reads, 2.0, 2.0);
        assert_eq!(told.state.failing_since(Calls::Reads), Some(told.at(2.0)));
        assert_eq!(told.state.failing_since(Calls::Writes), Some(told.at(1.0)));
        told.succeeded(reads, 3.0);
        told.failed(reads, 4.0, 4.0);
        assert_eq!(told.state.failing_since(Calls::Reads), Some(told.at(4.0)));
    }

    #[test]
    fn a_part_is_up_since_the_end_of_its_last_outage() {
        let mut told = Told::new();
        let began = told.state.up_since();
        told.failed(PROBE, 0.0, 3.0);
        assert!(told.state.down().is_some());
        assert_eq!(told.state.up_since(), began);
        told.succeeded(PROBE, 4.0);
        assert!(told.state.up_since() > began);
    }

    #[test]
    fn a_probe_without_an_answer_for_long_is_an_outage_alone() {
        let mut told = Told::new();
        assert!(told.failed(PROBE, 0.0, 3.0).is_some());
    }

    #[test]
    fn calls_that_fail_all_the_time_are_an_outage_although_the_probes_succeed() {
        let mut told = Told::new();
        let mut down = None;
        for second in 0..5 {
            down = down.or(told.failed(WRITE, f64::from(second), f64::from(second)));
            assert!(told.succeeded(PROBE, f64::from(second) + 0.5).is_none());
        }
        assert!(matches!(down, Some(Event::Down(_))), "{down:?}");
        assert!(told.succeeded(PROBE, 8.0).is_none());
        let back = told.succeeded(PROBE, 15.0);
        assert!(matches!(back, Some(Event::Back(_))), "{back:?}");
    }

    #[test]
    fn calls_that_succeed_in_between_are_no_outage() {
        let mut told = Told::new();
        for second in 0..30 {
            let at = f64::from(second);
            assert!(told.failed(WRITE, at, at).is_none());
            let passed = told.succeeded(WRITE, at + 0.5);
            assert!(matches!(passed, Some(Event::Passed(1, _))));
        }
    }
}
