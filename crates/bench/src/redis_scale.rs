//! What Redis does for its own benchmark.

use std::process::Command;

use test_support::servers::redis_url;

use crate::Result;
use crate::plan::{Plan, progress};
use crate::services::output_of;

/// `SET`s in a second, in pipelines of 64, by 64 clients.
pub(crate) fn measure(plan: &Plan) -> Result<Vec<f64>> {
    (1..=plan.repetitions)
        .map(|repetition| {
            progress(&format!(
                "{repetition}/{} redis-benchmark",
                plan.repetitions
            ));
            let url = redis_url();
            let output = output_of(Command::new("redis-benchmark").args([
                "-u", &url, "-t", "set", "-P", "64", "-c", "64", "-n", "1000000", "--csv",
            ]))?;
            let text = String::from_utf8(output.stdout)?;
            set_per_second(&text).ok_or_else(|| format!("redis-benchmark says: {text}").into())
        })
        .collect()
}

/// How long Redis takes to answer one `SET` of one client, in milliseconds.
pub(crate) fn round_trip_ms() -> Result<f64> {
    let url = redis_url();
    let output = output_of(
        Command::new("redis-benchmark")
            .args(["-u", &url, "-t", "set", "-c", "1", "-n", "20000", "--csv"]),
    )?;
    let text = String::from_utf8(output.stdout)?;
    let rate = set_per_second(&text).ok_or_else(|| format!("redis-benchmark says: {text}"))?;
    Ok(1e3 / rate)
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
