//! The subcommand that shows what every part holds of one name.

use crate::error::Result;
use crate::inspect::{Report, Shown};
use crate::model::record::Key;
use crate::model::version::Version;
use crate::parts;
use crate::settings::{InspectOptions, Settings};

/// What the subcommand prints, and whether every part was read.
#[derive(Debug)]
pub struct Inspection {
    /// The text.
    pub text: String,
    /// Whether every part was read.
    pub is_complete: bool,
}

/// Runs the subcommand. Only reads, and waits for no part that is unavailable.
///
/// # Errors
/// When a setting is wrong.
pub async fn run(
    settings: &Settings,
    options: &InspectOptions,
    shown: Shown,
) -> Result<Inspection> {
    let mut findings = parts::inspect(settings, &Key::from(options.name.as_str())).await?;
    findings.show(shown);
    let report = Report::of(&findings, Version::now());
    Ok(Inspection {
        is_complete: findings.is_complete(),
        text: match options.json {
            true => report.json(),
            false => report.text(),
        },
    })
}
