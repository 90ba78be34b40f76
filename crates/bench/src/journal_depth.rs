//! How many acknowledged writes the database does not have yet, while a load lasts.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Result;
use crate::figures::{Measure, Row};
use crate::services::RunningService;
use crate::statistics::slope;

const MOST: Measure = Measure::less("waiting, most", 0);
const LAST: Measure = Measure::less("waiting, last", 0);
const GROWTH: Measure = Measure::less("backlog growth %", 1);

/// More than this share of the acknowledged writes must not pile up, in percent.
const GROWTH_MAX: f64 = 5.0;

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How many entries wait in the journal.
pub(crate) fn now(service: &RunningService) -> Result<u64> {
    let response = service.get("/journal")?;
    let backlog: Value = serde_json::from_slice(&response.body)?;
    let depth = backlog.get("depth").and_then(Value::as_u64);
    depth.ok_or_else(|| format!("GET /journal is answered with {}", response.status).into())
}

/// The depths that were seen, with the time of each.
#[derive(Debug)]
pub(crate) struct Depths(Vec<(f64, f64)>);

impl Depths {
    /// Looks again and again for so long.
    pub(crate) fn watch(service: &RunningService, duration: Duration) -> Result<Depths> {
        let mut depths = Vec::new();
        let began = Instant::now();
        while began.elapsed() + LOOK_AGAIN < duration {
            thread::sleep(LOOK_AGAIN);
            depths.push((began.elapsed().as_secs_f64(), now(service)? as f64));
        }
        Ok(Depths(depths))
    }

    /// Adds the most, the last, and what does not drain of the writes that are acknowledged.
    pub(crate) fn add_to(&self, row: &mut Row<'_>, is_goal: bool, per_second: f64) {
        let depths = self.0.iter().map(|(_, depth)| *depth);
        row.add(MOST, depths.fold(0.0, f64::max));
        row.add(LAST, self.0.last().map_or(0.0, |(_, depth)| *depth));
        let growth = if is_goal {
            GROWTH.at_most(GROWTH_MAX)
        } else {
            GROWTH
        };
        row.add(growth, 100.0 * self.growth_per_second() / per_second);
    }

    /// In the second half, when the first drains have begun.
    fn growth_per_second(&self) -> f64 {
        slope(self.0.get(self.0.len() / 2..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;

    fn figures_of(depths: &[f64]) -> Vec<f64> {
        let depths = depths.iter().enumerate();
        let depths = Depths(
            depths
                .map(|(second, depth)| (second as f64, *depth))
                .collect(),
        );
        let mut figures = Figures::default();
        depths.add_to(&mut figures.row("writes", "unique"), true, 1000.0);
        figures.0.iter().map(|figure| figure.value()).collect()
    }

    #[test]
    fn a_backlog_that_rises_once_and_stays_is_flat() {
        let depths = [0.0, 500.0, 600.0, 610.0, 590.0, 600.0, 600.0, 610.0, 590.0];
        let [most, last, growth] = figures_of(&depths)[..] else {
            panic!("three figures")
        };
        assert_eq!((most, last), (610.0, 590.0));
        assert!(growth.abs() < 1.0, "{growth}");
    }

    #[test]
    fn growth_is_the_share_of_the_writes_that_does_not_drain() {
        let depths: Vec<f64> = (0..9).map(|second| 100.0 * f64::from(second)).collect();
        assert_eq!(figures_of(&depths), [800.0, 800.0, 10.0]);
        assert_eq!(figures_of(&[]), [0.0, 0.0, 0.0]);
    }
}
