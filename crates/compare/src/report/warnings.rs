//! Why figures may mean less than they seem to.

use super::Report;
use crate::pattern::Pattern;
use crate::workload::Rate;

/// Above this share of what the tool can drive, it may be the tool that was measured.
const CEILING_SHARE_MAX: f64 = 0.7;
/// Above this share of the processors, what other programs do is seen in the latencies.
const OTHERS_SHARE_MAX: f64 = 0.15;

/// Sentences, of which there are none in the best case.
pub fn warnings(report: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    if report.interrupted {
        let text = "It was interrupted: the figures are those of what was done until then.";
        warnings.push(text.to_owned());
    }
    let others = report.runs().filter_map(|run| run.others_cpu_share);
    let others = others.fold(0.0, f64::max);
    if others > OTHERS_SHARE_MAX {
        warnings.push(format!(
            "Programs that are no part of this used up to {:.0} % of the processors meanwhile: end them and \
             measure again.",
            others * 100.0
        ));
    }
    for (scenario, ceiling) in report
        .scenarios
        .iter()
        .zip(std::iter::repeat(report.ceiling))
    {
        let Some(most) = ceiling.map(|ceiling| ceiling.requests_per_second) else {
            continue;
        };
        let asked = match scenario.workload.rate {
            Rate::PerSecond(rate) => {
                rate * scenario.workload.bursts.map_or(1.0, |bursts| bursts.factor)
            }
            Rate::Saturation => {
                let runs = Pattern::BOTH
                    .into_iter()
                    .flat_map(|pattern| scenario.of(pattern));
                let rates = runs.map(|run| run.succeeded() as f64 / run.seconds.max(0.001));
                rates.fold(0.0, f64::max)
            }
        };
        if asked >= most * CEILING_SHARE_MAX {
            warnings.push(format!(
                "{}: up to {asked:.0} requests a second, and this tool drives {most:.0} at most on this machine, so \
                 that it may be the tool that was measured.",
                scenario.name()
            ));
        }
    }
    warnings
}
