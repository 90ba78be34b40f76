//! A comparison, from a command line to a report.

use std::time::Duration;

use cache_core::model::version::Version;
use cache_core::revision;

use crate::arguments::{Arguments, PartsArguments, without_password};
use crate::error::{Error, Result};
use crate::measure::measure;
use crate::own_service::OwnService;
use crate::pattern::Pattern;
use crate::report::{Ceiling, Report, Scenario, verdict, warnings};
use crate::say::say;
use crate::site::binaries::Binaries;
use crate::site::{Backends, Site};
use crate::stop::{self, Stop};
use crate::workload::Workload;
use crate::{ceiling, machine};

/// For how long it is measured what the tool itself can drive.
const CEILING_DURATION: Duration = Duration::from_secs(1);

/// What a comparison came to.
#[derive(Debug)]
pub struct Comparison {
    /// What was found.
    pub report: Report,
    /// What went wrong. It is among the report's warnings, too.
    pub problems: Vec<String>,
}

/// Compares the services by one workload, or by the three that answer which to take. What `stop`
/// ends before its time is in the report as far as it came, and so is what was measured before
/// something went wrong.
///
/// # Errors
/// For what makes no sense; when nothing could be measured.
pub async fn compare(arguments: &Arguments, stop: Stop) -> Result<Comparison> {
    let (workloads, repeat) = arguments.workloads()?;
    let parts = parts(&arguments.parts);
    let parts_in_words = parts.in_words();
    let site = prepare(&arguments.parts, parts, &stop).await?;
    let words = std::env::args().skip(1).map(|word| without_password(&word));
    let scenario = |workload| Scenario {
        workload,
        runs: Vec::new(),
    };
    let mut report = Report {
        command: ["compare".to_owned()]
            .into_iter()
            .chain(words)
            .collect::<Vec<String>>()
            .join(" "),
        version: match revision::revision() {
            Some(revision) => format!("{} ({revision})", revision::VERSION),
            None => revision::VERSION.to_owned(),
        },
        began_at: Version::now().to_rfc3339(),
        interrupted: false,
        machine: machine::this(),
        parts: parts_in_words,
        ceiling: None,
        scenarios: workloads.into_iter().map(scenario).collect(),
        verdict: Vec::new(),
        warnings: Vec::new(),
    };
    let mut problems = Vec::new();
    let filled_in = fill_in(&mut report, arguments, repeat, &site, &stop, &mut problems).await;
    // Also after what went wrong.
    if let Err(error) = site.clean_up().await {
        problems.push(error.to_string());
    }
    match filled_in {
        Ok(()) => {}
        Err(error @ Error::Usage(_)) => return Err(error),
        Err(error) => problems.insert(0, error.to_string()),
    }
    if report.runs().next().is_none() && !problems.is_empty() {
        return Err(Error::Failed(problems.join("; ")));
    }
    report.interrupted = stop::is_told(&stop);
    report.verdict = verdict::verdict(&report);
    report.warnings = [problems.clone(), warnings(&report)].concat();
    Ok(Comparison { report, problems })
}

/// Checks what is needed, and builds what has to be started.
pub(crate) async fn prepare(
    arguments: &PartsArguments,
    parts: Backends,
    stop: &Stop,
) -> Result<Site> {
    let binaries = match &parts {
        Backends::Running { .. } => None,
        _ if arguments.no_build => Some(Binaries::beside_the_tool()?),
        _ => Some(Binaries::build(stop.clone()).await?),
    };
    Site::prepare(parts, binaries).await
}

pub(crate) fn parts(arguments: &PartsArguments) -> Backends {
    // The command line has both of a pair or neither.
    match arguments.clone() {
        PartsArguments {
            cache: Some(cache),
            database: Some(database),
            ..
        } => Backends::Servers { cache, database },
        PartsArguments {
            write_through: Some(write_through),
            write_behind: Some(write_behind),
            ..
        } => Backends::Running {
            write_through,
            write_behind,
        },
        _ => Backends::Embedded,
    }
}

/// A text that the names of no other run begin with.
pub(crate) fn unique_prefix() -> String {
    format!("compare-{:x}", Version::now().get())
}

async fn fill_in(
    report: &mut Report,
    arguments: &Arguments,
    repeat: u32,
    site: &Site,
    stop: &Stop,
    problems: &mut Vec<String>,
) -> Result<()> {
    let first = report
        .scenarios
        .first()
        .map(|scenario| scenario.workload.clone());
    if let (Some(workload), false) = (first, arguments.no_ceiling || stop::is_told(stop)) {
        say("measuring what this tool itself can drive");
        let measured = measure_ceiling(&workload, stop.clone()).await;
        // Of a moment only it says nothing; and Ctrl-C also reaches the process that is driven.
        if !stop::is_told(stop) {
            report.ceiling = Some(measured?);
        }
    }
    let mut patterns = match arguments.baseline {
        true => Pattern::ALL.to_vec(),
        false => Pattern::BOTH.to_vec(),
    };
    let prefix = unique_prefix();
    for turn in 1..=repeat {
        for (index, scenario) in report.scenarios.iter_mut().enumerate() {
            for pattern in &patterns {
                if stop::is_told(stop) {
                    return Ok(());
                }
                let name = format!(
                    "{}: {}, {turn} of {repeat}",
                    scenario.name(),
                    pattern.name()
                );
                // Services that run already keep what was written: each run has names of its own.
                let prefix = format!("{prefix}-{index}-{turn}-{}", pattern.name());
                let measured = measure(
                    site,
                    *pattern,
                    &scenario.workload,
                    (&name, &prefix),
                    stop.clone(),
                );
                let measured = measured.await?;
                problems.extend(measured.problems);
                scenario.runs.extend(measured.run);
                // So that the next one does not run beside what this one left.
                site.clean_up().await?;
            }
        }
        // What the machine does meanwhile must not always meet the same one.
        patterns.reverse();
    }
    Ok(())
}

async fn measure_ceiling(workload: &Workload, stop: Stop) -> Result<Ceiling> {
    let service = OwnService::start_no_op().await?;
    ceiling::measure(service.address(), workload, CEILING_DURATION, stop).await
}
