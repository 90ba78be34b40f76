//! Measures both services against what the same machine can do without them. Run it by `scripts/bench`,
//! which starts the servers that it needs.

mod allocations;
mod backlog;
mod figures;
mod load;
mod memory;
mod own_client;
mod plan;
mod reads;
mod redis_scale;
mod report;
mod services;
mod single;
mod verify;
mod writes;

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use clap::Parser as _;

use crate::figures::Figures;
use crate::plan::{Arguments, Plan, Section};

/// What goes wrong ends the run.
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
    let plan = Plan::of(arguments)?;
    let mut figures = Figures::default();
    if plan.has(Section::WriteBehind) || plan.has(Section::WriteThrough) {
        figures.writes = writes::measure(&plan)?;
    }
    if plan.has(Section::Single) {
        figures.singles = single::measure(&plan)?;
    }
    if plan.has(Section::Reads) {
        figures.reads = reads::measure(&plan)?;
    }
    if plan.has(Section::Drain) {
        figures.backlogs = backlog::measure(&plan)?;
    }
    if plan.has(Section::Allocations) {
        figures.allocations = allocations::measure(&plan)?;
    }
    if plan.has(Section::Redis) {
        figures.redis_set_per_second = redis_scale::measure(&plan)?;
    }
    print!("{}", report::text(&plan, &figures));
    if let Some(file) = &arguments.json {
        fs::write(file, serde_json::to_vec_pretty(&figures)?)?;
    }
    match figures.losses() {
        0 => Ok(()),
        losses => Err(format!("{losses} acknowledged writes are not in the database").into()),
    }
}
