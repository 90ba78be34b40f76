//! Workloads that have a name, each made to show something.

use std::time::Duration;

use super::{Bursts, Fault, FaultKind, Rate, Skew, Workload};

/// The workloads that have a name. The first line of each is what `--help` says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// An even rate that both patterns keep up with: what each costs when nothing is wrong.
    Steady,
    /// A low rate with bursts that are more than the database commits in time: which service absorbs
    /// them.
    Burst,
    /// Writes that mostly go to a few names: how many of them reach the database.
    HotKeys,
    /// Nineteen reads for each change: what the cache is worth, and whether a change is seen at once.
    ReadMostly,
    /// The database is unavailable for the middle third: which service goes on, and what is there
    /// afterwards.
    DatabaseOutage,
    /// Each statement takes 50 ms longer for the middle third: whose callers notice it.
    SlowDatabase,
}

impl Preset {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Preset; 6] = [
        Preset::Steady,
        Preset::Burst,
        Preset::HotKeys,
        Preset::ReadMostly,
        Preset::DatabaseOutage,
        Preset::SlowDatabase,
    ];

    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Steady => "steady",
            Preset::Burst => "burst",
            Preset::HotKeys => "hot-keys",
            Preset::ReadMostly => "read-mostly",
            Preset::DatabaseOutage => "database-outage",
            Preset::SlowDatabase => "slow-database",
        }
    }

    /// What it asks of a service. Each has some reads and deletes, so that the check of what
    /// was read and of what is there afterwards has something to judge.
    pub fn workload(self) -> Workload {
        let base = Workload {
            preset: Some(self.name()),
            ..Workload::default()
        };
        match self {
            Preset::Steady => base,
            // Eight times the rate is more than a MariaDB on two processors commits while this tool
            // runs beside it; the seconds in between, and after the last burst, are enough to catch up.
            Preset::Burst => Workload {
                duration: Duration::from_secs(22),
                rate: Rate::PerSecond(1_500.0),
                reads: 0.10,
                bursts: Some(Bursts {
                    factor: 8.0,
                    period: Duration::from_secs(5),
                    share: 0.2,
                }),
                ..base
            },
            Preset::HotKeys => Workload {
                rate: Rate::PerSecond(5_000.0),
                reads: 0.08,
                names: 1_000,
                skew: Skew::Zipf(1.1),
                ..base
            },
            Preset::ReadMostly => Workload {
                rate: Rate::PerSecond(5_000.0),
                reads: 0.95,
                deletes: 0.005,
                skew: Skew::Zipf(0.99),
                ..base
            },
            // The outage is shorter, and what arrives in it is less, than what write-behind's
            // journal is allowed to hold.
            Preset::DatabaseOutage => Workload {
                duration: Duration::from_secs(18),
                rate: Rate::PerSecond(1_000.0),
                fault: Some(middle_third(Duration::from_secs(18), FaultKind::Outage)),
                ..base
            },
            Preset::SlowDatabase => Workload {
                duration: Duration::from_secs(18),
                rate: Rate::PerSecond(1_000.0),
                fault: Some(middle_third(
                    Duration::from_secs(18),
                    FaultKind::SlowDown {
                        delay: Duration::from_millis(50),
                    },
                )),
                ..base
            },
        }
    }
}

/// The three that are run unless something else is asked for: an even load, a burst with time to
/// recover, and an outage in the middle. Short, so that each can be repeated, and of fewer names,
/// which are all written before each run.
pub fn question() -> [Workload; 3] {
    let short = |preset: Preset, seconds| Workload {
        duration: Duration::from_secs(seconds),
        names: 2_000,
        ..preset.workload()
    };
    let mut burst = short(Preset::Burst, 4);
    burst.bursts = Some(Bursts {
        factor: 8.0,
        period: Duration::from_secs(3),
        share: 1.0 / 3.0,
    });
    let mut outage = short(Preset::DatabaseOutage, 5);
    outage.fault = Some(Fault {
        kind: FaultKind::Outage,
        from: Duration::from_millis(1_500),
        until: Duration::from_secs(4),
    });
    [short(Preset::Steady, 3), burst, outage]
}

fn middle_third(duration: Duration, kind: FaultKind) -> Fault {
    Fault {
        kind,
        from: duration / 3,
        until: duration * 2 / 3,
    }
}

/// An even, moderate rate without a name: what is asked for unless something else is.
impl Default for Workload {
    fn default() -> Workload {
        Workload {
            preset: None,
            duration: Duration::from_secs(20),
            rate: Rate::PerSecond(2_000.0),
            connections: 64,
            reads: 0.25,
            deletes: 0.02,
            names: 10_000,
            skew: Skew::Uniform,
            value_chars: 100,
            bursts: None,
            fault: None,
            seed: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_preset_can_be_asked_for_by_its_name_and_is_valid() {
        assert_eq!(Preset::ALL.as_slice(), Preset::value_variants());
        for preset in Preset::ALL {
            assert_eq!(Preset::from_str(preset.name(), false), Ok(preset));
            let workload = preset.workload();
            assert_eq!(workload.preset, Some(preset.name()));
            workload.validate().unwrap();
        }
    }

    #[test]
    fn every_preset_writes_reads_and_deletes() {
        for preset in Preset::ALL {
            let Workload { reads, deletes, .. } = preset.workload();
            assert!(reads > 0.0 && deletes > 0.0, "{preset:?}");
            assert!(reads + deletes < 1.0, "{preset:?}");
        }
    }

    #[test]
    fn the_question_takes_less_than_two_minutes_with_three_runs_of_each() {
        let runs = question().map(|workload| {
            workload.validate().unwrap();
            // A second of warm-up, and as much again to start, fill and stop.
            workload.duration + Duration::from_millis(1_500)
        });
        let all: Duration = runs.iter().sum();
        assert!(all * 6 < Duration::from_secs(120), "{all:?}");
    }

    #[test]
    fn every_preset_says_in_one_sentence_what_it_is() {
        for preset in Preset::ALL {
            let value = preset.to_possible_value().unwrap();
            let help = value.get_help().unwrap().to_string();
            assert!(!help.contains('\n'), "{preset:?}: {help}");
        }
    }
}
