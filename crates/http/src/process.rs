//! The process around a service: settings, telemetry, what to do, exit code.

mod files;

use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;

use cache_core::commands::{identity, inspect, release};
use cache_core::error::Error;
use cache_core::model::user::{check_name, write_json};
use cache_core::parts;
use cache_core::process::shutdown::Signals;
use cache_core::settings::{
    self, Command, EXIT_BAD_SETTINGS, InspectOptions, JournalAction, MigrateOptions, Service,
    Settings, TokenOptions,
};
use cache_core::telemetry::{self, escape, trace};

use crate::resource::Routes;
use crate::server::{self, Started};
use crate::{auth, descriptors, healthcheck, huge_pages};

/// Runs a service's `main` on the runtime that everything but the HTTP server's
/// workers is on. Whatever still blocks a thread at its end is left behind: it is
/// past the deadline of the stop.
pub fn run(main: impl Future<Output = ExitCode>) -> ExitCode {
    // Before there are threads that take memory.
    huge_pages::decline();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let _flush = Flush;
            let code = runtime.block_on(main);
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            complain(&format!("no runtime: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Flushes the log when it is dropped, even if `main` panics.
struct Flush;

impl Drop for Flush {
    fn drop(&mut self) {
        telemetry::flush_log();
    }
}

/// What a service's `main` is: reads the settings, starts the log, and serves what `start` makes, or
/// does what the command line asks for instead. `start` returns the service's own routes as well.
///
/// Exits with 0 after a clean stop, 64 for bad settings, 2 after an import that refused some lines, 1 for
/// everything else.
pub async fn main<F, R>(
    service: Service,
    version: &'static str,
    about: &'static str,
    start: impl FnOnce(Settings) -> F,
) -> ExitCode
where
    F: Future<Output = Result<(Started, R), Error>> + Send + 'static,
    R: Fn(&mut Routes) + Clone + Send + 'static,
{
    // First of all, so that none is lost: a process that is told to stop while
    // it starts must stop too.
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            complain(&format!("{}: {error}\n", service.binary()));
            return ExitCode::FAILURE;
        }
    };
    let outcome = match settings::from_process(service, version, about) {
        Err(refused) => {
            let refused = refused.to_string();
            let refused = escape::controls(&refused);
            complain(&format!("{}: {refused}\n", service.binary()));
            return ExitCode::from(EXIT_BAD_SETTINGS);
        }
        Ok(Command::Print(text, code)) => {
            if code == 0 {
                let _ = std::io::stdout().write_all(text.as_bytes());
            } else {
                complain(&text);
            }
            return ExitCode::from(code);
        }
        Ok(Command::Token(options)) => return token(service, &options),
        Ok(Command::Healthcheck {
            listen,
            speaks_tls,
            ready,
        }) => return healthcheck(service, listen, speaks_tls, ready),
        Ok(Command::Migrate(settings, options)) => {
            telemetry::start_log(&settings.log);
            migrate(*settings, options, signals).await
        }
        Ok(Command::Identity(action, settings)) => {
            telemetry::start_log(&settings.log);
            let text = async move { identity::run(&settings, action).await };
            print(text, signals).await
        }
        Ok(Command::Inspect(options, settings)) => {
            telemetry::start_log(&settings.log);
            match on_name(options, *settings, signals).await {
                Ok(true) => Ok(()),
                Ok(false) => return ExitCode::FAILURE,
                Err(error) => Err(error),
            }
        }
        Ok(Command::Release(settings)) => {
            telemetry::start_log(&settings.log);
            let text = async move { release::run(&settings).await };
            print(text, signals).await
        }
        Ok(Command::Import(options, settings)) => {
            telemetry::start_log(&settings.log);
            let settings = files::for_import(*settings);
            let start = start(settings.clone());
            match files::import(options, settings, signals, start).await {
                Ok(outcome) => return ExitCode::from(files::exit_code(service, outcome)),
                Err(error) => Err(error),
            }
        }
        Ok(Command::Export(options, settings)) => {
            telemetry::start_log(&settings.log);
            files::export(options, *settings, signals).await
        }
        Ok(Command::Journal(action, settings)) => {
            telemetry::start_log(&settings.log);
            on_journal(action, *settings, signals).await
        }
        Ok(Command::Serve(settings)) => {
            telemetry::start_log(&settings.log);
            let start = start(Settings::clone(&settings));
            serve_traced(*settings, version, signals, start).await
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "{} cannot go on", service.binary());
            match error.downcast_ref() {
                Some(Error::BadSetting { .. }) => ExitCode::from(EXIT_BAD_SETTINGS),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// Serves, with traces if the settings ask for them.
async fn serve_traced<R>(
    settings: Settings,
    version: &str,
    signals: Signals,
    start: impl Future<Output = Result<(Started, R), Error>> + Send + 'static,
) -> Result<(), Box<dyn std::error::Error>>
where
    R: Fn(&mut Routes) + Clone + Send + 'static,
{
    descriptors::prepare(&settings)?;
    trace::start(&settings)?;
    let served = server::run(&settings, version, signals, start).await;
    // Only now, so that the drain has had its time.
    trace::stop().await;
    served
}

/// Prints what it has done, or with a dry run what it would do, on standard output.
async fn migrate(
    settings: Settings,
    options: MigrateOptions,
    mut signals: Signals,
) -> Result<(), Box<dyn std::error::Error>> {
    let migrate = async move { parts::migrate(&settings, options).await };
    let done = signals
        .unless_stopped(migrate)
        .await
        .unwrap_or(Ok(vec![]))?;
    let mut out = std::io::stdout();
    for sentence in done {
        let _ = writeln!(out, "{}", escape::controls(&sentence));
    }
    Ok(())
}

/// Prints the result of a subcommand.
async fn print(
    text: impl Future<Output = Result<String, Error>> + Send + 'static,
    mut signals: Signals,
) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(text) = signals.unless_stopped(text).await.transpose()? {
        let _ = std::io::stdout().write_all(text.as_bytes());
    }
    Ok(())
}

/// Prints what each part holds of a name. Returns whether every part was read.
async fn on_name(
    options: InspectOptions,
    settings: Settings,
    mut signals: Signals,
) -> Result<bool, Box<dyn std::error::Error>> {
    check_name(&options.name).map_err(|reason| Error::BadSetting {
        key: "NAME",
        reason: reason.into(),
    })?;
    let inspect = async move { inspect::run(&settings, &options, shown).await };
    let Some(inspected) = signals.unless_stopped(inspect).await.transpose()? else {
        return Ok(true);
    };
    let _ = std::io::stdout().write_all(inspected.text.as_bytes());
    Ok(inspected.is_complete)
}

/// A record as the API answers it.
fn shown(name: &str, body: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    write_json(name, body, &mut text).ok()?;
    Some(text)
}

async fn on_journal(
    action: JournalAction,
    settings: Settings,
    mut signals: Signals,
) -> Result<(), Box<dyn std::error::Error>> {
    let work = move || parts::run_on_journal(&settings, &action);
    let done = signals.unless_stopped(async { tokio::task::spawn_blocking(work).await });
    if let Some(text) = done.await.transpose()? {
        let _ = std::io::stdout().write_all(text?.as_bytes());
    }
    Ok(())
}

/// Prints a new token and its line.
fn token(service: Service, options: &TokenOptions) -> ExitCode {
    match auth::make_token(options) {
        Ok(text) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(reason) => {
            complain(&format!("{}: {reason}\n", service.binary()));
            ExitCode::from(EXIT_BAD_SETTINGS)
        }
    }
}

/// Exits with 0 when the service is well, else with 1.
fn healthcheck(service: Service, listen: SocketAddr, speaks_tls: bool, ready: bool) -> ExitCode {
    if listen.port() == 0 {
        let reason = "LISTEN: with port 0 it is not known which port the service took";
        complain(&format!("{}: {reason}\n", service.binary()));
        return ExitCode::from(EXIT_BAD_SETTINGS);
    }
    let path = if ready { "/readyz" } else { "/healthz" };
    let address = healthcheck::address(listen);
    match healthcheck::ask(address, speaks_tls, path, healthcheck::TIME_MAX) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let reason = escape::controls(&reason);
            complain(&format!("{}: {reason}\n", service.binary()));
            ExitCode::FAILURE
        }
    }
}

fn complain(text: &str) {
    // Standard error may be closed, and there is no other place to report that.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
