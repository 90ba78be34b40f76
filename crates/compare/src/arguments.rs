//! The command line.

mod secret_url;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};
use url::Url;

use crate::error::{Error, Result};
use crate::workload::Preset;
use crate::workload::{Bursts, Fault, FaultKind, Rate, Skew, Workload};
use secret_url::UrlParser;

/// The command line.
#[derive(Clone, Debug, Parser)]
#[command(name = "compare", version, about = env!("CARGO_PKG_DESCRIPTION"))]
pub struct Arguments {
    /// What is asked of both services.
    #[command(flatten)]
    pub workload: WorkloadArguments,
    /// On what the services run.
    #[command(flatten)]
    pub parts: PartsArguments,
    /// The folder for report.html and report.json.
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = ".",
        conflicts_with = "live",
        help_heading = "Report"
    )]
    pub output: PathBuf,
    /// Also writes each picture of the report as a file of its own, NAME.svg.
    #[arg(long, help_heading = "Report", conflicts_with = "live")]
    pub pictures: bool,
    /// Does not measure first what the tool itself can drive.
    #[arg(long, conflicts_with = "live", help_heading = "Report")]
    pub no_ceiling: bool,
    /// Serves a page that shows both services as they run, until Ctrl-C. With any option of a
    /// workload that workload is sent to both at the same time, all the while.
    #[arg(long, help_heading = "Live")]
    pub live: bool,
    /// Where that page is served.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8090",
        requires = "live"
    )]
    pub listen: SocketAddr,
}

/// What is asked of both services.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "Workload")]
pub struct WorkloadArguments {
    /// A workload with a name (steady), of which the other options change what they say; in
    /// brackets what they are in steady.
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,
    /// For how long requests are sent, in seconds (20).
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<Duration>,
    /// Requests a second, sent when they are due, whether or not those before are answered (2000).
    #[arg(long, value_name = "PER_SECOND")]
    pub rate: Option<f64>,
    /// As many requests as are answered: each connection sends the next at once.
    #[arg(long, conflicts_with = "rate")]
    pub saturate: bool,
    /// Connections to each service, each with one request at a time (64).
    #[arg(long)]
    pub connections: Option<usize>,
    /// The share of requests that read, 0 to 1 (0.25).
    #[arg(long, value_name = "SHARE")]
    pub reads: Option<f64>,
    /// The share of requests that delete, 0 to 1 (0.02).
    #[arg(long, value_name = "SHARE")]
    pub deletes: Option<f64>,
    /// How many different names there are (10000).
    #[arg(long)]
    pub names: Option<u32>,
    /// Names are asked for unequally: the k-th most popular in proportion to 1/k^EXPONENT.
    #[arg(long, value_name = "EXPONENT")]
    pub zipf: Option<f64>,
    /// Each name is asked for as often as any other; so it is unless something else is said.
    #[arg(long, conflicts_with = "zipf")]
    pub uniform: bool,
    /// Characters of a record's occupation, 20 to 255 (100).
    #[arg(long, value_name = "CHARACTERS")]
    pub value_size: Option<usize>,
    /// In a burst the rate is so many times higher; 1 for none.
    #[arg(long, value_name = "FACTOR")]
    pub burst: Option<f64>,
    /// From one burst to the next (5).
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub burst_period: Option<Duration>,
    /// The share of that time that is a burst (0.2).
    #[arg(long, value_name = "SHARE")]
    pub burst_share: Option<f64>,
    /// The database is unavailable for a while (SQLite: it cannot be written).
    #[arg(long)]
    pub outage: bool,
    /// The database is slower by so much for a while.
    #[arg(long, value_name = "MILLISECONDS", conflicts_with = "outage")]
    pub slow_down: Option<u64>,
    /// When that begins [a third of the duration].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub fault_from: Option<Duration>,
    /// When that ends [two thirds].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub fault_until: Option<Duration>,
    /// What the sequence of requests is made from: the same for the same seed (1).
    #[arg(long)]
    pub seed: Option<u64>,
}

/// On what the services run: embedded parts, unless this says otherwise.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Services")]
pub struct PartsArguments {
    /// Starts the services on this Redis.
    #[arg(long, value_name = "URL", requires = "database", value_parser = UrlParser::server())]
    pub cache: Option<Url>,
    /// And on this MySQL or MariaDB, in databases of their own that are dropped afterwards.
    #[arg(long, value_name = "URL", requires = "cache", value_parser = UrlParser::server())]
    pub database: Option<Url>,
    /// A write-through-svc that runs already, as http://HOST:PORT. What is written to it stays there.
    #[arg(long, value_name = "URL", requires = "write_behind", conflicts_with_all = ["cache", "database"], value_parser = UrlParser::service())]
    pub write_through: Option<Url>,
    /// And a write-behind-svc.
    #[arg(long, value_name = "URL", requires = "write_through", value_parser = UrlParser::service())]
    pub write_behind: Option<Url>,
    /// Takes the services' binaries as they are beside this one, and builds nothing.
    #[arg(long, conflicts_with_all = ["write_through", "write_behind"])]
    pub no_build: bool,
}

impl WorkloadArguments {
    /// Whether anything is said of requests, so that some are to be sent.
    pub fn is_asked_for(&self) -> bool {
        *self != WorkloadArguments::default()
    }

    /// The workload that is asked for.
    ///
    /// # Errors
    /// [`Error::Usage`] for one that makes no sense, with the option that is wrong.
    pub fn workload(&self) -> Result<Workload> {
        let mut workload = self.preset.unwrap_or(Preset::Steady).workload();
        if let Some(duration) = self.duration {
            workload = stretched(workload, duration);
        }
        match self.rate {
            Some(rate) => workload.rate = Rate::PerSecond(rate),
            None if self.saturate => {
                workload.rate = Rate::Saturation;
                // A square wave on a rate that there is not.
                workload.bursts = None;
            }
            None => {}
        }
        set(&mut workload.connections, self.connections);
        set(&mut workload.reads, self.reads);
        set(&mut workload.deletes, self.deletes);
        set(&mut workload.names, self.names);
        set(&mut workload.skew, self.zipf.map(Skew::Zipf));
        set(&mut workload.skew, self.uniform.then_some(Skew::Uniform));
        set(&mut workload.value_chars, self.value_size);
        set(&mut workload.seed, self.seed);
        workload.bursts = self.bursts(workload.bursts)?;
        workload.fault = self.fault(&workload)?;
        // What was asked for has its way, and the preset's share of the others makes room.
        if self.deletes.is_none() {
            workload.deletes = workload.deletes.min(1.0 - workload.reads).max(0.0);
        }
        if self.reads.is_none() {
            workload.reads = workload.reads.min(1.0 - workload.deletes).max(0.0);
        }
        workload.validate()?;
        if !self.is_still(&workload) {
            workload.preset = None;
        }
        Ok(workload)
    }

    /// Whether the workload is still what its preset's name says, for longer or shorter.
    fn is_still(&self, workload: &Workload) -> bool {
        let preset = self.preset.unwrap_or(Preset::Steady).workload();
        let preset = stretched(preset, workload.duration);
        let seed = workload.seed;
        *workload == Workload { seed, ..preset }
    }

    fn bursts(&self, preset: Option<Bursts>) -> Result<Option<Bursts>> {
        let Some(factor) = self.burst.or(preset.map(|bursts| bursts.factor)) else {
            if self.burst_period.is_some() || self.burst_share.is_some() {
                let text = "--burst-period and --burst-share want --burst";
                return Err(Error::Usage(text.to_owned()));
            }
            return Ok(None);
        };
        let preset = preset.unwrap_or(Bursts {
            factor,
            period: Duration::from_secs(5),
            share: 0.2,
        });
        Ok((factor != 1.0).then_some(Bursts {
            factor,
            period: self.burst_period.unwrap_or(preset.period),
            share: self.burst_share.unwrap_or(preset.share),
        }))
    }

    fn fault(&self, workload: &Workload) -> Result<Option<Fault>> {
        let slow_down = self.slow_down.map(|delay| FaultKind::SlowDown {
            delay: Duration::from_millis(delay),
        });
        let kind = slow_down
            .or(self.outage.then_some(FaultKind::Outage))
            .or(workload.fault.map(|fault| fault.kind));
        let Some(kind) = kind else {
            if self.fault_from.is_some() || self.fault_until.is_some() {
                let text = "--fault-from and --fault-until want --outage or --slow-down";
                return Err(Error::Usage(text.to_owned()));
            }
            return Ok(None);
        };
        let preset = workload.fault.unwrap_or(Fault {
            kind,
            from: workload.duration / 3,
            until: workload.duration * 2 / 3,
        });
        Ok(Some(Fault {
            kind,
            from: self.fault_from.unwrap_or(preset.from),
            until: self.fault_until.unwrap_or(preset.until),
        }))
    }
}

/// The same for longer or shorter: a fault keeps its place in it, and there is time for a burst.
fn stretched(workload: Workload, duration: Duration) -> Workload {
    let ratio = duration.as_secs_f64() / workload.duration.as_secs_f64();
    let fault = workload.fault.map(|fault| Fault {
        from: fault.from.mul_f64(ratio),
        until: fault.until.mul_f64(ratio),
        ..fault
    });
    let bursts = workload.bursts.map(|bursts| Bursts {
        period: bursts.period.min(duration),
        ..bursts
    });
    Workload {
        duration,
        bursts,
        fault,
        ..workload
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// `20`, `0.5` or `20s`.
fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text);
    let seconds: f64 = number
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
