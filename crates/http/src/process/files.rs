//! The subcommands `import` and `export`.

use std::fs;
use std::future::Future;
use std::io::Write as _;
use std::path::Path;

use cache_core::commands::export;
use cache_core::error::{Error, Part};
use cache_core::process::shutdown::Signals;
use cache_core::settings::{ExportOptions, ImportOptions, Service, Settings};
use cache_core::telemetry::escape;

use crate::server::Started;
use crate::transfer::{self, ImportOutcome, Target};

/// What the process says of a backend that another process has.
const IN_USE: &str = "another process has";

/// The memory cache of an import: what it holds is of no use to any later process.
const IMPORT_CACHE_BYTES_MAX: u64 = 16 << 20;

/// The settings of a service, for an import.
pub(super) fn for_import(settings: Settings) -> Settings {
    Settings {
        cache_capacity_bytes: settings.cache_capacity_bytes.min(IMPORT_CACHE_BYTES_MAX),
        ..settings
    }
}

/// Writes the users of a file, through the engine that `start` makes or the service that is named.
/// `None` after a signal that came before the first of them.
///
/// # Errors
/// When the file or a backend cannot be opened; nothing is written then.
pub(super) async fn import<R: Send + 'static>(
    options: ImportOptions,
    settings: Settings,
    mut signals: Signals,
    start: impl Future<Output = Result<(Started, R), Error>> + Send + 'static,
) -> Result<Option<ImportOutcome>, Box<dyn std::error::Error>> {
    let waiting_max = settings.waiting_max;
    if let Some(url) = &options.to {
        let token = options.token_file.as_deref().map(token_in).transpose()?;
        let target = Target::service(url, token.as_deref(), options.ca_file.as_deref())?;
        let (outcome, text) =
            transfer::import(&options, &target, waiting_max, &mut signals).await?;
        say(&text);
        return Ok(Some(outcome));
    }
    let Some(started) = signals.unless_stopped(start).await else {
        return Ok(None);
    };
    let (mut started, _) = started.map_err(|error| -> Box<dyn std::error::Error> {
        let url = format!("--to http://{}", settings.listen);
        let hint = format!("send the file to it with {url}, or stop it first");
        explained(error, &settings, &hint)
    })?;
    if let Some(claimed) = &started.claimed {
        started.engine = claimed.admits(started.engine);
    }
    let target = Target::Engine(started.engine.clone(), started.outages.clone());
    let imported = transfer::import(&options, &target, waiting_max, &mut signals).await;
    let waiting = started.engine.waiting().await;
    started
        .stop(signals.deadline(settings.shutdown_deadline))
        .await;
    let (outcome, text) = imported?;
    say(&text);
    match waiting {
        Some(0) => {}
        Some(count) => say(&format!(
            "{count} writes waited in the journal at the end of the file; what is left of them, the service drains"
        )),
        None => say("it is not known how many writes wait in the journal"),
    }
    Ok(Some(outcome))
}

/// The token in a file of one line.
fn token_in(file: &Path) -> Result<String, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let token = text.trim();
    // The text is not repeated: it may be another secret.
    match !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(token.to_owned()),
        false => Err(format!("{}: the file has no token", file.display())),
    }
}

/// Writes all users to a file or to standard output.
///
/// # Errors
/// When the database or the file fails.
pub(super) async fn export(
    options: ExportOptions,
    settings: Settings,
    mut signals: Signals,
) -> Result<(), Box<dyn std::error::Error>> {
    let export = async move {
        let hint = format!(
            "get them from it: curl -H 'Accept: application/x-ndjson' http://{}/users",
            settings.listen
        );
        let store = export::open(&settings).await;
        let store = store.map_err(|error| explained(error, &settings, &hint))?;
        // One that another process has open is drained by that process.
        let waiting = export::waiting(&settings).unwrap_or(0);
        if waiting > 0 {
            complain(&format!(
                "{waiting} acknowledged writes wait in the journal and are not exported: let {} drain them first",
                settings.service.binary()
            ));
        }
        transfer::export(options, store).await
    };
    match signals.unless_stopped(export).await {
        Some(Ok(text)) => complain(&text),
        Some(Err(error)) => return Err(error as Box<dyn std::error::Error>),
        None => return Err("stopped; a file is as it was before".into()),
    }
    Ok(())
}

/// Adds what to do about a process that has the files open.
fn explained(
    error: Error,
    settings: &Settings,
    hint: &str,
) -> Box<dyn std::error::Error + Send + Sync> {
    let is_file = matches!(error.part(), Some(Part::Database | Part::Journal));
    let said = error.to_string();
    match is_file && said.contains(IN_USE) {
        true => format!("{said}: if {} runs, {hint}", settings.service.binary()).into(),
        false => error.into(),
    }
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", lines(text));
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", lines(text));
}

fn lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(escape::controls).collect();
    lines.join("\n")
}

/// Documented in `docs/import.md`.
pub(super) fn exit_code(service: Service, outcome: Option<ImportOutcome>) -> u8 {
    match outcome {
        Some(ImportOutcome::Complete) => 0,
        Some(ImportOutcome::SomeRefused) => 2,
        Some(ImportOutcome::Stopped) => 1,
        None => {
            complain(&format!(
                "{}: stopped before anything was written",
                service.binary()
            ));
            1
        }
    }
}
