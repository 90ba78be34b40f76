//! `compare`: which of the two patterns to take, by measuring both.

use std::env;
use std::process::ExitCode;

use clap::Parser as _;
use compare::arguments::{Arguments, complaint};
use compare::error::{Error, Result};
use compare::output::Output;
use compare::run::Comparison;
use compare::say::say;
use compare::site::SERVES;
use compare::stop::{self, EXIT_INTERRUPTED};
use compare::{live, own_service, run};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As clap has it for what it refuses itself.
const EXIT_USAGE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    raise_limit_of_open_files();
    if let Ok(serves) = env::var(SERVES) {
        return own_service::main(&serves);
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => {
            eprint!("{}", complaint(&error, env::args().skip(1)));
            return ExitCode::from(EXIT_USAGE);
        }
        Err(help) => help.exit(),
    };
    match compare(&arguments).await {
        Ok(code) => code,
        Err(error) => {
            say(&error.to_string());
            match error {
                Error::Usage(_) => ExitCode::from(EXIT_USAGE),
                Error::Failed(_) => ExitCode::FAILURE,
                Error::Stopped => ExitCode::from(EXIT_INTERRUPTED),
            }
        }
    }
}

async fn compare(arguments: &Arguments) -> Result<ExitCode> {
    let stop = stop::on_signals()?;
    if arguments.live {
        live::serve(arguments, stop).await?;
        return Ok(ExitCode::SUCCESS);
    }
    // Before everything that takes long.
    let output = Output::open(&arguments.output)?;
    let Comparison { report, problems } = run::compare(arguments, stop).await?;
    output.write(&report, arguments.details)?;
    Ok(if report.has_losses() || !problems.is_empty() {
        ExitCode::FAILURE
    } else if report.interrupted {
        ExitCode::from(EXIT_INTERRUPTED)
    } else {
        ExitCode::SUCCESS
    })
}

/// Of this process, and of those that it starts, as far as it may: shells set it lower than a
/// thousand connections need.
fn raise_limit_of_open_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    // If that fails, opening one file too many fails later and is reported there.
    let current = maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
}
