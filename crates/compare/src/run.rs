//! A comparison, from a command line to a report.

use std::time::Duration;

use cache_core::model::version::Version;
use cache_core::revision;

use crate::arguments::{Arguments, PartsArguments};
use crate::error::{Error, Result};
use crate::measure::measure;
use crate::no_op::NoOpProcess;
use crate::pattern::Pattern;
use crate::report::{Ceiling, Report, ServiceReport, findings};
use crate::say::say;
use crate::site::binaries::Binaries;
use crate::site::{Parts, Site};
use crate::stop::{self, Stop};
use crate::warnings::warnings;
use crate::workload::Workload;
use crate::{ceiling, machine};

/// For how long it is measured what the tool itself can drive.
const CEILING_DURATION: Duration = Duration::from_secs(2);

/// What a comparison came to.
#[derive(Debug)]
pub struct Comparison {
    /// What was found.
    pub report: Report,
    /// What went wrong. It is among the report's warnings, too.
    pub problems: Vec<String>,
}

/// Compares both services by one workload. What `stop` ends before its time is in the report
/// as far as it came, and so is what was measured before something went wrong.
///
/// # Errors
/// For what makes no sense; when nothing could be measured.
pub async fn compare(arguments: &Arguments, stop: Stop) -> Result<Comparison> {
    let workload = arguments.workload.workload()?;
    let parts = parts(&arguments.parts)?;
    let parts_in_words = parts.in_words();
    let site = prepare(&arguments.parts, parts, &stop).await?;
    let mut report = Report {
        command: command_line(),
        version: match revision::revision() {
            Some(revision) => format!("{} ({revision})", revision::VERSION),
            None => revision::VERSION.to_owned(),
        },
        began_at: Version::now().to_rfc3339(),
        interrupted: false,
        machine: machine::this(),
        parts: parts_in_words,
        workload,
        ceiling: None,
        services: Vec::new(),
        findings: Vec::new(),
        warnings: Vec::new(),
    };
    let mut problems = Vec::new();
    let filled_in = fill_in(&mut report, arguments, &site, &stop, &mut problems).await;
    // Also after what went wrong.
    if let Err(error) = site.clean_up().await {
        problems.push(error.to_string());
    }
    match filled_in {
        Ok(()) => {}
        Err(error @ Error::Usage(_)) => return Err(error),
        Err(error) => problems.insert(0, error.to_string()),
    }
    if report.services.is_empty() && !problems.is_empty() {
        return Err(Error::Failed(problems.join("; ")));
    }
    report.interrupted = stop::is_told(&stop);
    report.findings = findings::findings(&report);
    report.warnings = [problems.clone(), warnings(&report)].concat();
    Ok(Comparison { report, problems })
}

/// Whether something was lost, or read that was too old.
pub fn lost_something(service: &ServiceReport) -> bool {
    let check = service.check.as_ref();
    check.is_some_and(|check| check.lost > 0 || check.stale_reads > 0)
}

/// Checks what is needed, and builds what has to be started.
pub(crate) async fn prepare(arguments: &PartsArguments, parts: Parts, stop: &Stop) -> Result<Site> {
    let binaries = match &parts {
        Parts::Running { .. } => None,
        _ if arguments.no_build => Some(Binaries::beside_the_tool()?),
        _ => Some(Binaries::build(stop.clone()).await?),
    };
    Site::prepare(parts, binaries).await
}

pub(crate) fn parts(arguments: &PartsArguments) -> Result<Parts> {
    // The command line has both of a pair or neither.
    if let (Some(cache), Some(database)) = (&arguments.cache, &arguments.database) {
        return Parts::servers(cache.as_str(), database.as_str());
    }
    if let (Some(write_through), Some(write_behind)) =
        (&arguments.write_through, &arguments.write_behind)
    {
        return Ok(Parts::Running {
            write_through: write_through.clone(),
            write_behind: write_behind.clone(),
        });
    }
    Ok(Parts::Embedded)
}

/// A text that the names of no other run begin with.
pub(crate) fn unique_prefix() -> String {
    format!("compare-{:x}", Version::now().get())
}

async fn fill_in(
    report: &mut Report,
    arguments: &Arguments,
    site: &Site,
    stop: &Stop,
    problems: &mut Vec<String>,
) -> Result<()> {
    if !arguments.no_ceiling && !stop::is_told(stop) {
        say("measuring what this tool itself can drive");
        let measured = measure_ceiling(&report.workload, stop.clone()).await;
        // Of a moment only it says nothing; and Ctrl-C also reaches the process that is driven.
        if !stop::is_told(stop) {
            report.ceiling = Some(measured?);
        }
    }
    let prefix = unique_prefix();
    for pattern in Pattern::BOTH {
        if stop::is_told(stop) {
            break;
        }
        say(&format!("{} on {}", pattern.name(), report.parts));
        // Services that run already may share a database, and the second one must not find the
        // records of the first.
        let prefix = format!("{prefix}-{}", pattern.name());
        let measured = measure(site, pattern, &report.workload, &prefix, stop.clone()).await?;
        problems.extend(measured.problems);
        report.services.extend(measured.report);
        // So that the next one does not run beside what this one left.
        site.clean_up().await?;
    }
    Ok(())
}

async fn measure_ceiling(workload: &Workload, stop: Stop) -> Result<Ceiling> {
    let process = NoOpProcess::start().await?;
    ceiling::measure(process.address(), workload, CEILING_DURATION, stop).await
}

/// What was typed, without the passwords.
fn command_line() -> String {
    let words = std::env::args().skip(1).map(|word| without_password(&word));
    ["compare".to_owned()]
        .into_iter()
        .chain(words)
        .collect::<Vec<String>>()
        .join(" ")
}

fn without_password(word: &str) -> String {
    // Also in --database=mysql://…
    let (option, value) = match word.split_once('=') {
        Some((option, value)) if option.starts_with("--") => (format!("{option}="), value),
        _ => (String::new(), word),
    };
    let Ok(mut url) = url::Url::parse(value) else {
        return match value.contains("://") && value.contains('@') {
            // What cannot be understood may have one anywhere.
            true => format!("{option}***"),
            false => word.to_owned(),
        };
    };
    if url.password().is_none() || url.set_password(Some("***")).is_err() {
        return word.to_owned();
    }
    format!("{option}{url}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_the_command_line_is_not_repeated() {
        for (word, shown) in [
            (
                "mysql://root:secret@localhost:3306/",
                "mysql://root:***@localhost:3306/",
            ),
            (
                "--database=mysql://root:secret@localhost/",
                "--database=mysql://root:***@localhost/",
            ),
            ("redis://:secret@localhost", "redis://:***@localhost"),
            ("redis://localhost:6379", "redis://localhost:6379"),
            ("--preset", "--preset"),
            ("--rate=5", "--rate=5"),
            ("--cache=redis://u:secret@host:99999", "--cache=***"),
            (
                "mysql://root:secret@localhost/?option=value",
                "mysql://root:***@localhost/?option=value",
            ),
        ] {
            assert_eq!(without_password(word), shown);
        }
    }
}
