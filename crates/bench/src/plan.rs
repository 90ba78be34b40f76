//! What a run measures, and for how long.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, process};

use clap::{Parser, ValueEnum};
use rustix::process::Pid;

use crate::Result;
use crate::settings::Settings;

/// A part of the benchmark that can be run by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    /// Writes to write-behind-svc
    WriteBehind,
    /// Writes to write-through-svc
    WriteThrough,
    /// Writes to two processes of write-behind-svc on one Redis, beside one process
    TwoProcesses,
    /// Writes to write-through-svc, one at a time
    Single,
    /// Reads that the cache answers
    Reads,
    /// Writes over 1 to 1,024 connections
    Connections,
    /// Latency of writes at half of the highest rate
    Latency,
    /// A backlog: how fast it is drained, and the service's memory
    #[value(alias = "memory")]
    Drain,
    /// Redis's memory for a write that waits
    RedisMemory,
    /// Allocations per request
    Allocations,
    /// Redis by itself, for scale
    Redis,
}

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "scripts/bench", about = env!("CARGO_PKG_DESCRIPTION"))]
pub(crate) struct Arguments {
    /// What to measure; everything unless given
    #[arg(value_enum)]
    pub(crate) sections: Vec<Section>,
    /// Loads of 1 second, 2 repetitions and a backlog of 100,000 entries
    #[arg(long)]
    pub(crate) quick: bool,
    /// Seconds of each load [4; 1 with --quick]
    #[arg(long)]
    seconds: Option<u64>,
    /// Repetitions, of which the median is taken [5; 2 with --quick]
    #[arg(long)]
    repetitions: Option<usize>,
    /// Entries of the backlog [1000000; 100000 with --quick]
    #[arg(long)]
    backlog: Option<u64>,
    /// Where to write the values of every repetition, after each section
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// An earlier --json file to hold this run against
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// A page whose table of figures is replaced by this run's
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Measures nothing and takes this --json file for the run
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sections", "quick", "json"])]
    pub(crate) from: Option<PathBuf>,
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
        let (load_s, repetitions, backlog) = if arguments.quick {
            (1, 2, 100_000)
        } else {
            (4, 5, 1_000_000)
        };
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(Plan {
            sections: arguments.sections.clone(),
            load: Duration::from_secs(arguments.seconds.unwrap_or(load_s).clamp(1, 600)),
            repetitions: arguments.repetitions.unwrap_or(repetitions).clamp(1, 100),
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

    /// Half of a load, for what is only compared with.
    pub(crate) fn short_load(&self) -> Duration {
        Duration::from_secs((self.load.as_secs() / 2).max(1))
    }

    /// Runs `once` as often as planned, and prints each repetition.
    pub(crate) fn repeat(&self, what: &str, mut once: impl FnMut() -> Result<()>) -> Result<()> {
        for repetition in 1..=self.repetitions {
            progress(&format!("{repetition}/{} {what}", self.repetitions));
            once()?;
        }
        Ok(())
    }

    /// How the run is described in a file.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            load_s: self.load.as_secs(),
            repetitions: self.repetitions,
            backlog: self.backlog,
        }
    }
}

/// Says what is being done.
pub(crate) fn progress(text: &str) {
    eprintln!("bench: {text}");
}
