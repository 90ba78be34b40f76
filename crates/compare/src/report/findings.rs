//! Which pattern won what, by how much, and what that cost, in sentences.

mod cost;
mod fault;
mod requests;
mod safety;

use super::escape::printable;
use super::{Report, ServiceReport};

/// One sentence each, the most important first: what was lost, what a fault did, what was
/// faster, what failed, what that cost; in the end, how much of it may be chance. What differs by
/// less than a tenth is called about the same, and of what is not known nothing is said.
pub fn findings(report: &Report) -> Vec<String> {
    let services = report.services.as_slice();
    let mut findings = safety::broken(services);
    findings.extend(fault::sentences(services));
    findings.extend(safety::unsettled(services));
    findings.extend(requests::speed(services));
    findings.extend(requests::failures(services));
    findings.extend(cost::database(services));
    findings.extend(cost::price(services));
    findings.extend(cost::processor_time(services));
    findings.extend(safety::kept(services));
    if let (Some((first, _)), false) = (both(services), findings.is_empty()) {
        findings.push(format!(
            "This is one run of each, {} first: differences under a tenth, and single percentiles of \
             short runs, may be chance.",
            first.pattern.name()
        ));
    }
    // They go to a terminal, too, which obeys what a server may have called its error.
    findings.iter().map(|finding| printable(finding)).collect()
}

/// Both services, if there are two.
fn both(services: &[ServiceReport]) -> Option<(&ServiceReport, &ServiceReport)> {
    match services {
        [first, second] => Some((first, second)),
        _ => None,
    }
}

/// `2.3 times`.
fn times(ratio: f64) -> String {
    format!("{} times", super::figure::two_digits(ratio))
}
