//! When requests are due, and how late their answers are. Knows no clock and no connection.

use std::time::Duration;

/// A request that is to be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) number: u64,
    /// From when its latency counts.
    pub(super) since: Duration,
}

/// Times count from the begin of the load, when the first request is due.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<f64>,
    count: u64,
    next: u64,
    /// How many requests have no answer yet.
    open: u64,
    /// In seconds.
    latencies: Vec<f64>,
    broken: u64,
}

impl Pace {
    pub(super) fn new(rate: Option<f64>, count: u64) -> Pace {
        Pace {
            rate,
            count,
            next: 0,
            open: 0,
            latencies: Vec::new(),
            broken: 0,
        }
    }

    /// The next request, if it is due.
    pub(super) fn take(&mut self, now: Duration) -> Option<Taken> {
        let since = self.next_due()?;
        if since > now {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.open += 1;
        Some(Taken {
            number,
            since: if self.rate.is_some() { since } else { now },
        })
    }

    /// When the next request is due; `None` after the last.
    pub(super) fn next_due(&self) -> Option<Duration> {
        (self.next < self.count).then(|| self.due_at(self.next))
    }

    fn due_at(&self, number: u64) -> Duration {
        self.rate.map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(number as f64 / rate)
        })
    }

    pub(super) fn answered(&mut self, since: Duration, now: Duration) {
        self.open -= 1;
        self.latencies.push(now.saturating_sub(since).as_secs_f64());
    }

    /// Answered, but not as it should be.
    pub(super) fn failed(&mut self) {
        self.open -= 1;
    }

    /// Will have no answer.
    pub(super) fn broken(&mut self, since: Duration, now: Duration) {
        self.broken += 1;
        self.answered(since, now);
    }

    /// Whether every request has been sent and answered.
    pub(super) fn is_over(&self) -> bool {
        self.next >= self.count && self.open == 0
    }

    /// Ends the load. What is under way since these times, and what was due and never sent, has waited until
    /// now and is broken.
    pub(super) fn give_up(&mut self, under_way: impl Iterator<Item = Duration>, now: Duration) {
        for since in under_way {
            self.broken(since, now);
        }
        // Without a rate, what was not sent was never due.
        while self.rate.is_some()
            && let Some(taken) = self.take(now)
        {
            self.broken(taken.since, now);
        }
    }

    /// In seconds, and how many of them had no answer.
    pub(super) fn into_latencies(self) -> (Vec<f64>, u64) {
        (self.latencies, self.broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::percentile;

    const MS: Duration = Duration::from_millis(1);

    fn latencies_ms(pace: Pace) -> Vec<f64> {
        let (mut latencies, _) = pace.into_latencies();
        latencies.sort_by(f64::total_cmp);
        latencies
            .iter()
            .map(|seconds| (1e3 * seconds).round())
            .collect()
    }

    #[test]
    fn latency_counts_from_when_a_request_was_due() {
        // One connection, 1,000 requests a second. The service stalls for a second at the first and answers
        // every other at once.
        let mut pace = Pace::new(Some(1000.0), 2000);
        let first = pace.take(Duration::ZERO).unwrap();
        let mut now = 1000 * MS;
        pace.answered(first.since, now);
        while !pace.is_over() {
            match pace.take(now) {
                Some(taken) => pace.answered(taken.since, now),
                None => now = pace.next_due().unwrap(),
            }
        }
        let latencies = latencies_ms(pace);
        // Half of all requests were due during the stall, not one.
        assert_eq!(
            latencies.iter().filter(|latency| **latency > 0.0).count(),
            1000
        );
        assert_eq!(percentile(&latencies, 0.75), Some(500.0));
        assert_eq!(percentile(&latencies, 1.0), Some(1000.0));
    }

    #[test]
    fn nothing_is_sent_before_it_is_due() {
        let mut pace = Pace::new(Some(100.0), 2);
        assert_eq!(pace.take(Duration::ZERO).unwrap().number, 0);
        assert_eq!(pace.take(9 * MS), None);
        let second = Taken {
            number: 1,
            since: 10 * MS,
        };
        assert_eq!(pace.take(15 * MS), Some(second));
        assert_eq!((pace.take(1000 * MS), pace.next_due()), (None, None));
    }

    #[test]
    fn what_was_due_and_not_answered_has_waited_to_the_end() {
        // Due at 0, 10, …, 90 ms; one is answered, two are under way, two were never sent.
        let mut pace = Pace::new(Some(100.0), 10);
        let taken = [0, 1, 2].map(|_| pace.take(20 * MS).unwrap());
        pace.answered(taken[0].since, 20 * MS);
        let under_way = taken[1..].iter().map(|taken| taken.since);
        pace.give_up(under_way, 45 * MS);
        assert_eq!(pace.broken, 4);
        assert_eq!(latencies_ms(pace), [5.0, 15.0, 20.0, 25.0, 35.0]);
    }

    #[test]
    fn without_a_rate_latency_counts_from_when_it_was_sent() {
        let mut pace = Pace::new(None, 10);
        let taken = pace.take(30 * MS).unwrap();
        assert_eq!(taken.since, 30 * MS);
        pace.answered(taken.since, 50 * MS);
        let taken = pace.take(60 * MS).unwrap();
        assert_eq!(taken.number, 1);
        pace.give_up([taken.since].into_iter(), 90 * MS);
        // The one under way, and none of those that were never sent.
        assert_eq!(pace.broken, 1);
        assert_eq!(latencies_ms(pace), [20.0, 30.0]);
    }
}
