//! Measures both services against what the same machine can do without them. Run it by `scripts/bench`,
//! which starts the servers that it needs.

mod against;
mod allocations;
mod backlog;
mod baseline;
mod connections;
mod figures;
mod journal_depth;
mod latency;
mod load;
mod load_result;
mod machine;
mod memory;
mod open_loop;
mod output;
mod own_client;
mod page;
mod paused;
mod plan;
mod processor;
mod reads;
mod redis_memory;
mod redis_scale;
mod report;
mod run;
mod services;
mod settings;
mod single;
mod statistics;
mod table;
mod two_processes;
mod user_body;
mod verify;
mod writes;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use clap::{Parser as _, ValueEnum as _};

use crate::figures::Figures;
use crate::machine::Machine;
use crate::plan::{Arguments, Plan, Section};
use crate::run::Run;

/// What goes wrong ends a section.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    // Before anything is measured, which takes long.
    let earlier = arguments.against.as_deref().map(Run::read).transpose()?;
    if let Some(page) = &arguments.markdown {
        page::check(page)?;
    }
    let (run, problems) = match &arguments.from {
        Some(file) => (Run::read(file)?, Vec::new()),
        None => measure(arguments)?,
    };
    print!("{}", report::text(&run));
    if let Some(earlier) = &earlier {
        print!("{}", against::text(earlier, &run));
    }
    if let Some(page) = &arguments.markdown {
        page::replace(page, &report::markdown(&run))?;
    }
    let losses = run.figures.losses();
    if losses > 0.0 {
        return Err(format!("{losses} acknowledged writes are not in the database").into());
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems.join("; ").into()),
    }
}

/// Measures what is asked for. A section that fails leaves the others as they are; returns also why it did.
fn measure(arguments: &Arguments) -> Result<(Run, Vec<String>)> {
    let plan = Plan::of(arguments)?;
    let of_script = |variable| env::var(variable).unwrap_or_else(|_| "unknown".to_owned());
    let mut run = Run::new(
        of_script("BENCH_DATE"),
        of_script("BENCH_COMMIT"),
        Machine::this()?,
        plan.settings(),
    );
    let mut problems = Vec::new();
    for section in Section::value_variants() {
        if !plan.has(*section) {
            continue;
        }
        if let Err(error) = measure_section(&plan, *section, &mut run.figures) {
            eprintln!("bench: {section:?}: {error}");
            problems.push(format!("{section:?}: {error}"));
        }
        if let Some(file) = &arguments.json {
            run.write(file)?;
        }
    }
    Ok((run, problems))
}

fn measure_section(plan: &Plan, section: Section, figures: &mut Figures) -> Result<()> {
    match section {
        Section::WriteBehind | Section::WriteThrough => writes::measure(plan, section, figures),
        Section::TwoProcesses => two_processes::measure(plan, figures),
        Section::Single => single::measure(plan, figures),
        Section::Reads => reads::measure(plan, figures),
        Section::Connections => connections::measure(plan, figures),
        Section::Latency => latency::measure(plan, figures),
        Section::Drain => backlog::measure(plan, figures),
        Section::RedisMemory => redis_memory::measure(plan, figures),
        Section::Allocations => allocations::measure(plan, figures),
        Section::Redis => redis_scale::measure(plan, figures),
    }
}
