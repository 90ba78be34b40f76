//! What Redis does for its own benchmark.

use std::process::Command;

use testkit::servers::redis_url;

use crate::Result;
use crate::figures::{Figures, Measure};
use crate::output::output_of;
use crate::plan::Plan;

const SETS: Measure = Measure::plain("SET/s", 0);

/// `SET`s in a second, in pipelines of 64, by 64 clients.
pub(crate) fn measure(plan: &Plan, figures: &mut Figures) -> Result<()> {
    plan.repeat("redis-benchmark", || {
        let rate = rate_of(&["-P", "64", "-c", "64", "-n", "1000000"])?;
        let mut row = figures.row(
            "Redis by itself",
            "redis-benchmark, pipelines of 64, 64 clients",
        );
        row.add(SETS, rate);
        Ok(())
    })
}

/// How long Redis takes to answer one `SET` of one client, in milliseconds.
pub(crate) fn round_trip_ms() -> Result<f64> {
    Ok(1e3 / rate_of(&["-c", "1", "-n", "20000"])?)
}

fn rate_of(arguments: &[&str]) -> Result<f64> {
    let url = redis_url();
    let output = output_of(
        Command::new("redis-benchmark")
            .args(["-u", &url, "-t", "set", "--csv"])
            .args(arguments),
    )?;
    let text = String::from_utf8(output.stdout)?;
    set_per_second(&text).ok_or_else(|| format!("redis-benchmark says: {text}").into())
}

fn set_per_second(csv: &str) -> Option<f64> {
    let line = csv
        .lines()
        .find_map(|line| line.strip_prefix("\"SET\",\""))?;
    line.split('"').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_the_second_column() {
        let csv = "\"test\",\"rps\",\"avg\"\n\"SET\",\"1234567.89\",\"1.5\"\n";
        assert_eq!(set_per_second(csv), Some(1_234_567.89));
    }
}
