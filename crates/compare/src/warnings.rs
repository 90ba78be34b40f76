//! Why figures may mean less than they seem to.

use crate::report::Report;
use crate::workload::Rate;

/// Above this share of what the tool can drive, it may be the tool that was measured.
const CEILING_SHARE_MAX: f64 = 0.7;

/// Above this share of the processors, what other programs do is seen in the latencies.
const OTHERS_SHARE_MAX: f64 = 0.15;

/// Sentences, of which there are none in the best case.
pub fn warnings(report: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    if report.interrupted {
        warnings.push(
            "It was interrupted: the figures are those of what was done until then.".to_owned(),
        );
    }
    for service in &report.services {
        let others = service.others_cpu_share.unwrap_or(0.0);
        if others > OTHERS_SHARE_MAX {
            warnings.push(format!(
                "While {} was measured, programs that are no part of this used {:.0} % of the processors: end \
                 them and measure again.",
                service.pattern.name(),
                others * 100.0
            ));
        }
    }
    if let Some(ceiling) = report.ceiling {
        for service in &report.services {
            let share = service.per_second / ceiling.requests_per_second;
            if share >= CEILING_SHARE_MAX {
                warnings.push(format!(
                    "{} answered {:.0} requests a second, {:.0} % of the most that this tool drives on this machine \
                     ({:.0}): it may be the tool that was measured, and not the service.",
                    service.pattern.name(),
                    service.per_second,
                    share * 100.0,
                    ceiling.requests_per_second
                ));
            }
        }
        if let Rate::PerSecond(rate) = report.workload.rate {
            let factor = report
                .workload
                .bursts
                .map_or(1.0, |bursts| bursts.factor.max(1.0));
            if rate * factor >= ceiling.requests_per_second * CEILING_SHARE_MAX {
                warnings.push(format!(
                    "The workload asks for up to {:.0} requests a second, and this tool drives {:.0} at most on this \
                     machine: latencies contain the time that requests waited in the tool.",
                    rate * factor,
                    ceiling.requests_per_second
                ));
            }
        }
    }
    warnings
}
