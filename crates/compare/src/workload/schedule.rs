//! When each request of an open loop is due.

use std::time::Duration;

use super::{Bursts, Rate, Workload};

/// How many requests are due until when, and the other way round. Times are from the first
/// request on, which is due at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Outside of bursts.
    per_second: f64,
    wave: Option<Wave>,
}

/// A square wave: low first, high at the end of each period.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Wave {
    factor: f64,
    period_s: f64,
    low_s: f64,
}

impl Schedule {
    /// That of a workload; `None` if it has no rate.
    pub fn of(workload: &Workload) -> Option<Schedule> {
        let Rate::PerSecond(per_second) = workload.rate else {
            return None;
        };
        Some(Schedule {
            per_second,
            wave: workload.bursts.as_ref().map(Wave::of),
        })
    }

    /// How many requests are due before this time.
    pub fn due_before(&self, time: Duration) -> u64 {
        let time_s = time.as_secs_f64();
        let at_rate_s = self.wave.map_or(time_s, |wave| wave.weigh(time_s));
        (at_rate_s * self.per_second).ceil() as u64
    }

    /// When the request of this number, from 0, is due.
    pub fn due_at(&self, number: u64) -> Duration {
        let at_rate_s = number as f64 / self.per_second;
        let time_s = self.wave.map_or(at_rate_s, |wave| wave.unweigh(at_rate_s));
        Duration::try_from_secs_f64(time_s).unwrap_or(Duration::MAX)
    }
}

impl Wave {
    fn of(bursts: &Bursts) -> Wave {
        let period_s = bursts.period.as_secs_f64();
        Wave {
            factor: bursts.factor,
            period_s,
            low_s: period_s * (1.0 - bursts.share),
        }
    }

    /// How long it would have taken at the low rate alone to have as many requests as a
    /// whole period has.
    fn period_weight_s(&self) -> f64 {
        self.low_s + (self.period_s - self.low_s) * self.factor
    }

    /// How long it would have taken at the low rate alone to have as many requests as are due
    /// until this time: the integral of the wave.
    fn weigh(&self, time_s: f64) -> f64 {
        let periods = (time_s / self.period_s).floor();
        let within_s = time_s - periods * self.period_s;
        let high_s = (within_s - self.low_s).max(0.0);
        periods * self.period_weight_s() + within_s.min(self.low_s) + high_s * self.factor
    }

    /// The inverse of [`Wave::weigh`].
    fn unweigh(&self, weight_s: f64) -> f64 {
        let periods = (weight_s / self.period_weight_s()).floor();
        let within_s = weight_s - periods * self.period_weight_s();
        let high_s = (within_s - self.low_s).max(0.0) / self.factor;
        periods * self.period_s + within_s.min(self.low_s) + high_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: f64, bursts: Option<Bursts>) -> Schedule {
        Schedule::of(&Workload {
            rate: Rate::PerSecond(rate),
            bursts,
            ..Workload::default()
        })
        .unwrap()
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn at_an_even_rate_so_many_are_due_as_rate_times_time() {
        let even = schedule(2_000.0, None);
        assert_eq!(even.due_before(seconds(0.0)), 0);
        assert_eq!(even.due_before(seconds(20.0)), 40_000);
        assert_eq!(even.due_before(seconds(0.5)), 1_000);
        assert_eq!(even.due_at(0), Duration::ZERO);
        assert_eq!(even.due_at(1), seconds(0.0005));
        assert_eq!(even.due_at(39_999), seconds(19.9995));
        assert_eq!(schedule(0.5, None).due_at(3), seconds(6.0));
    }

    #[test]
    fn a_burst_is_the_end_of_each_period_at_factor_times_the_rate() {
        let waves = schedule(
            100.0,
            Some(Bursts {
                factor: 10.0,
                period: Duration::from_secs(4),
                share: 0.25,
            }),
        );
        // 300 in the first three seconds of each period, 1,000 in its last.
        let until = [
            (1.0, 100),
            (3.0, 300),
            (3.5, 800),
            (4.0, 1_300),
            (5.0, 1_400),
            (7.0, 1_600),
            (7.5, 2_100),
            (8.0, 2_600),
        ];
        for (time_s, due) in until {
            assert_eq!(waves.due_before(seconds(time_s)), due, "{time_s}");
        }
    }

    #[test]
    fn a_request_is_due_when_it_is_counted_as_due() {
        let bursts = Bursts {
            factor: 7.3,
            period: Duration::from_millis(1_700),
            share: 0.31,
        };
        for schedule in [schedule(333.3, None), schedule(333.3, Some(bursts))] {
            let mut last = Duration::ZERO;
            for number in 0..20_000 {
                let due = schedule.due_at(number);
                assert!(due >= last, "{number}");
                last = due;
                let shortly = Duration::from_nanos(100);
                assert!(schedule.due_before(due + shortly) > number, "{number}");
                assert!(
                    schedule.due_before(due.saturating_sub(shortly)) <= number,
                    "{number}"
                );
            }
        }
    }

    #[test]
    fn without_a_rate_nothing_is_ever_due() {
        let saturation = Workload {
            rate: Rate::Saturation,
            ..Workload::default()
        };
        assert_eq!(Schedule::of(&saturation), None);
    }
}
