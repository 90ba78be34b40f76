//! Whether a workload makes sense, and if not, which option to change and how.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Bursts, Fault, FaultKind, Rate, Skew, Workload};
use crate::error::{Error, Result};

const DURATION_S: RangeInclusive<f64> = 1.0..=86_400.0;
const CONNECTIONS: RangeInclusive<usize> = 1..=4_096;
const NAMES: RangeInclusive<u32> = 1..=10_000_000;
/// The upper end is what a record may have; below the lower one the number of the request
/// that wrote it would not be sure to fit.
const VALUE_CHARS: RangeInclusive<usize> = 20..=255;
const RATE_MAX: f64 = 1e6;
const EXPONENT_MAX: f64 = 10.0;
/// Much shorter, and a burst is over before the system has let this tool run.
const BURST_PERIOD_S_MIN: f64 = 0.1;
const DELAY_S_MAX: f64 = 10.0;

impl Workload {
    /// Whether it can be driven.
    ///
    /// # Errors
    /// [`Error::Usage`], which says which option is wrong and what would be right.
    pub fn validate(&self) -> Result<()> {
        let duration_s = self.duration.as_secs_f64();
        within("--duration", "seconds", duration_s, &DURATION_S)?;
        within("--connections", "", self.connections, &CONNECTIONS)?;
        within("--names", "", self.names, &NAMES)?;
        within("--value-size", "characters", self.value_chars, &VALUE_CHARS)?;
        self.check_shares()?;
        if let Rate::PerSecond(rate) = self.rate {
            above_zero("--rate", "requests a second", rate, RATE_MAX)?;
        }
        if let Skew::Zipf(exponent) = self.skew {
            above_zero("--zipf", "", exponent, EXPONENT_MAX)?;
        }
        if let Some(bursts) = &self.bursts {
            self.check_bursts(bursts)?;
        }
        if let Some(fault) = &self.fault {
            self.check_fault(fault)?;
        }
        Ok(())
    }

    fn check_shares(&self) -> Result<()> {
        let Workload { reads, deletes, .. } = *self;
        within("--reads", "", reads, &(0.0..=1.0))?;
        within("--deletes", "", deletes, &(0.0..=1.0))?;
        // Shares such as 0.9 and 0.1 are not exactly that in binary.
        if reads + deletes > 1.0 + 1e-9 {
            return usage(format!(
                "--reads {reads} and --deletes {deletes} are together more than 1, which is all \
                 requests; lower one of them"
            ));
        }
        Ok(())
    }

    fn check_bursts(&self, bursts: &Bursts) -> Result<()> {
        let Rate::PerSecond(rate) = self.rate else {
            return usage(
                "--burst multiplies a rate, and there is none when each connection sends as fast as \
                 it is answered; give a --rate, or leave --burst out"
                    .to_owned(),
            );
        };
        let Bursts {
            factor,
            period,
            share,
        } = *bursts;
        if factor.is_nan() || factor <= 1.0 || rate * factor > RATE_MAX {
            return usage(format!(
                "--burst {factor} must be above 1 and, times --rate, at most {RATE_MAX} a second"
            ));
        }
        let period_s = period.as_secs_f64();
        if period_s < BURST_PERIOD_S_MIN || period > self.duration {
            return usage(format!(
                "--burst-period {period_s} must be from {BURST_PERIOD_S_MIN} seconds to --duration, {}",
                self.duration.as_secs_f64()
            ));
        }
        if !(share > 0.0 && share < 1.0) {
            return usage(format!("--burst-share {share} must be above 0 and below 1"));
        }
        Ok(())
    }

    fn check_fault(&self, fault: &Fault) -> Result<()> {
        let (from_s, until_s) = (fault.from.as_secs_f64(), fault.until.as_secs_f64());
        if fault.from >= fault.until || fault.until > self.duration {
            return usage(format!(
                "--fault-from {from_s} and --fault-until {until_s} must be in this order and \
                 within --duration, {} seconds",
                self.duration.as_secs_f64()
            ));
        }
        if let FaultKind::SlowDown { delay } = fault.kind {
            let longest = Duration::from_secs_f64(DELAY_S_MAX);
            if delay.is_zero() || delay > longest {
                return usage(format!(
                    "--slow-down {} must be above 0 and at most {} milliseconds",
                    delay.as_secs_f64() * 1e3,
                    DELAY_S_MAX * 1e3
                ));
            }
        }
        Ok(())
    }
}

fn within<T: PartialOrd + std::fmt::Display>(
    option: &str,
    unit: &str,
    value: T,
    range: &RangeInclusive<T>,
) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let sentence = format!(
        "{option} {value} must be from {} to {} {unit}",
        range.start(),
        range.end()
    );
    usage(sentence.trim_end().to_owned())
}

fn above_zero(option: &str, unit: &str, value: f64, max: f64) -> Result<()> {
    if value > 0.0 && value <= max {
        return Ok(());
    }
    let sentence = format!("{option} {value} must be above 0 and at most {max} {unit}");
    usage(sentence.trim_end().to_owned())
}

fn usage(sentence: String) -> Result<()> {
    Err(Error::Usage(sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Workload)) -> String {
        let mut workload = Workload::default();
        change(&mut workload);
        match workload.validate() {
            Err(Error::Usage(sentence)) => sentence,
            other => panic!("{other:?} for {workload:?}"),
        }
    }

    fn accepted(change: impl FnOnce(&mut Workload)) {
        let mut workload = Workload::default();
        change(&mut workload);
        workload.validate().unwrap();
    }

    const BURSTS: Bursts = Bursts {
        factor: 5.0,
        period: Duration::from_secs(5),
        share: 0.2,
    };
    const FAULT: Fault = Fault {
        kind: FaultKind::Outage,
        from: Duration::from_secs(5),
        until: Duration::from_secs(10),
    };

    #[test]
    fn what_is_out_of_range_is_refused_with_its_option_and_the_range() {
        let cases: [(&str, String); 12] = [
            (
                "--duration 0.5 must be from 1 to 86400 seconds",
                refused(|w| w.duration = Duration::from_millis(500)),
            ),
            (
                "--duration 86401 must be from 1 to 86400 seconds",
                refused(|w| w.duration = Duration::from_secs(86_401)),
            ),
            (
                "--connections 0 must be from 1 to 4096",
                refused(|w| w.connections = 0),
            ),
            (
                "--connections 4097 must be from 1 to 4096",
                refused(|w| w.connections = 4_097),
            ),
            (
                "--names 0 must be from 1 to 10000000",
                refused(|w| w.names = 0),
            ),
            (
                "--value-size 19 must be from 20 to 255 characters",
                refused(|w| w.value_chars = 19),
            ),
            (
                "--value-size 256 must be from 20 to 255 characters",
                refused(|w| w.value_chars = 256),
            ),
            (
                "--reads 1.5 must be from 0 to 1",
                refused(|w| w.reads = 1.5),
            ),
            (
                "--deletes NaN must be from 0 to 1",
                refused(|w| w.deletes = f64::NAN),
            ),
            (
                "--rate 0 must be above 0 and at most 1000000 requests a second",
                refused(|w| w.rate = Rate::PerSecond(0.0)),
            ),
            (
                "--rate 1000001 must be above 0 and at most 1000000 requests a second",
                refused(|w| w.rate = Rate::PerSecond(1_000_001.0)),
            ),
            (
                "--zipf 0 must be above 0 and at most 10",
                refused(|w| w.skew = Skew::Zipf(0.0)),
            ),
        ];
        for (expected, found) in cases {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_ends_of_every_range_are_accepted() {
        accepted(|w| w.duration = Duration::from_secs(1));
        accepted(|w| w.duration = Duration::from_secs(86_400));
        accepted(|w| w.connections = 1);
        accepted(|w| w.connections = 4_096);
        accepted(|w| w.names = 1);
        accepted(|w| w.names = 10_000_000);
        accepted(|w| w.value_chars = 20);
        accepted(|w| w.value_chars = 255);
        accepted(|w| (w.reads, w.deletes) = (0.9, 0.1));
        accepted(|w| (w.reads, w.deletes) = (0.0, 0.0));
        accepted(|w| w.rate = Rate::PerSecond(1e6));
        accepted(|w| w.rate = Rate::Saturation);
        accepted(|w| w.skew = Skew::Zipf(10.0));
        accepted(|w| w.bursts = Some(BURSTS));
        accepted(|w| w.fault = Some(FAULT));
    }

    #[test]
    fn shares_that_are_more_than_all_requests_are_refused() {
        let found = refused(|w| (w.reads, w.deletes) = (0.8, 0.3));
        assert!(
            found.starts_with("--reads 0.8 and --deletes 0.3 are together more than 1"),
            "{found}"
        );
    }

    #[test]
    fn bursts_need_a_rate_and_sensible_figures() {
        let with = |bursts: Bursts| refused(|w| w.bursts = Some(bursts));
        let saturated = refused(|w| (w.bursts, w.rate) = (Some(BURSTS), Rate::Saturation));
        assert!(saturated.contains("give a --rate"), "{saturated}");
        for factor in [1.0, 501.0, f64::NAN] {
            let found = with(Bursts { factor, ..BURSTS });
            assert!(found.starts_with("--burst "), "{found}");
        }
        for period in [Duration::from_millis(99), Duration::from_secs(21)] {
            let found = with(Bursts { period, ..BURSTS });
            assert!(found.starts_with("--burst-period"), "{found}");
        }
        for share in [0.0, 1.0, f64::NAN] {
            let found = with(Bursts { share, ..BURSTS });
            assert!(found.starts_with("--burst-share"), "{found}");
        }
    }

    #[test]
    fn a_fault_has_to_be_within_the_duration() {
        let with = |fault: Fault| refused(|w| w.fault = Some(fault));
        let late = Fault {
            until: Duration::from_secs(21),
            ..FAULT
        };
        let empty = Fault {
            until: FAULT.from,
            ..FAULT
        };
        for fault in [late, empty] {
            let found = with(fault);
            assert!(found.starts_with("--fault-from 5 and"), "{found}");
        }
        for delay in [Duration::ZERO, Duration::from_secs(11)] {
            let kind = FaultKind::SlowDown { delay };
            let found = with(Fault { kind, ..FAULT });
            assert!(found.starts_with("--slow-down"), "{found}");
        }
    }
}
