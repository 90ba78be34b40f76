//! What a run measures, and for how long.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, process};

use clap::{Parser, ValueEnum};
use rustix::process::Pid;

use crate::Result;

/// A part of the benchmark that can be run by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    /// Writes to write-behind-svc.
    WriteBehind,
    /// Writes to write-through-svc.
    WriteThrough,
    /// Writes to write-through-svc, one at a time.
    Single,
    /// Reads that the cache answers.
    Reads,
    /// Memory over a backlog, and how fast it is drained.
    #[value(alias = "memory")]
    Drain,
    /// Allocations per request.
    Allocations,
    /// Redis by itself, for scale.
    Redis,
}

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "scripts/bench", about = env!("CARGO_PKG_DESCRIPTION"))]
pub(crate) struct Arguments {
    /// What to measure; everything unless given.
    #[arg(value_enum)]
    sections: Vec<Section>,
    /// Loads of 2 seconds and a backlog of 100,000 entries.
    #[arg(long)]
    quick: bool,
    /// Seconds of each load [5; 2 with --quick].
    #[arg(long)]
    seconds: Option<u64>,
    /// Repetitions, of which the median is taken (3 by default).
    #[arg(long)]
    repetitions: Option<usize>,
    /// Entries of the backlog [1000000; 100000 with --quick].
    #[arg(long)]
    backlog: Option<u64>,
    /// Where to write the figures of every repetition.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// What a run measures, and for how long.
#[derive(Debug)]
pub(crate) struct Plan {
    sections: Vec<Section>,
    /// How long a load lasts that is measured.
    pub(crate) load: Duration,
    /// How often everything is measured.
    pub(crate) repetitions: usize,
    /// How many entries wait before they are drained.
    pub(crate) backlog: u64,
    /// The MariaDB server, which belongs to this run alone.
    pub(crate) mariadb: Pid,
    /// A text that no other run has.
    pub(crate) run: String,
}

impl Plan {
    /// The plan that the command line asks for.
    ///
    /// # Errors
    ///
    /// When it was not started by `scripts/bench`. This run stops MariaDB and empties Redis, so they must
    /// be its own.
    pub(crate) fn of(arguments: &Arguments) -> Result<Plan> {
        let mariadb = env::var("BENCH_MARIADB_PID")
            .ok()
            .and_then(|id| id.parse().ok())
            .and_then(Pid::from_raw)
            .ok_or("needs servers of its own: run scripts/bench")?;
        let (load_s, backlog) = if arguments.quick {
            (2, 100_000)
        } else {
            (5, 1_000_000)
        };
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(Plan {
            sections: arguments.sections.clone(),
            load: Duration::from_secs(arguments.seconds.unwrap_or(load_s).clamp(1, 600)),
            repetitions: arguments.repetitions.unwrap_or(3).clamp(1, 100),
            backlog: arguments
                .backlog
                .unwrap_or(backlog)
                .clamp(10_000, 10_000_000),
            mariadb,
            run: format!("{:x}{:x}", since_epoch.as_secs(), process::id()),
        })
    }

    /// Whether the section is asked for.
    pub(crate) fn has(&self, section: Section) -> bool {
        self.sections.is_empty() || self.sections.contains(&section)
    }
}

/// Says what is being done.
pub(crate) fn progress(text: &str) {
    eprintln!("bench: {text}");
}
