//! `compare`: which of the two patterns suits a workload, by measuring both.

use std::env;
use std::process::ExitCode;

use clap::Parser as _;
use compare::arguments::Arguments;
use compare::error::Error;
use compare::output::Output;
use compare::run::Comparison;
use compare::say::say;
use compare::stop::{self, EXIT_INTERRUPTED};
use compare::{live, no_op, open_files, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As clap has it for what it refuses itself.
const EXIT_USAGE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some(no_op::COMMAND) {
        return no_op::main();
    }
    open_files::raise_limit();
    match compare(&Arguments::parse()).await {
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

async fn compare(arguments: &Arguments) -> compare::error::Result<ExitCode> {
    let stop = stop::on_signals()?;
    if arguments.live {
        live::serve(arguments, stop).await?;
        return Ok(ExitCode::SUCCESS);
    }
    // Before everything that takes long.
    let output = Output::open(&arguments.output, arguments.pictures)?;
    let Comparison { report, problems } = run::compare(arguments, stop).await?;
    output.write(&report)?;
    Ok(
        if report.services.iter().any(run::lost_something) || !problems.is_empty() {
            ExitCode::FAILURE
        } else if report.interrupted {
            ExitCode::from(EXIT_INTERRUPTED)
        } else {
            ExitCode::SUCCESS
        },
    )
}
