//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};
use url::Url;

use crate::error::{Error, Result};
use crate::server_url::ServerUrl;
use crate::service_url;
use crate::workload::{Bursts, Fault, FaultKind, Preset, Rate, Skew, Workload, question};

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
    /// Prints every figure rather than the dozen that decide.
    #[arg(long, help_heading = "Report", conflicts_with = "live")]
    pub details: bool,
    /// How often each workload is run on each service: figures are medians (3; 1 with any option of
    /// a workload).
    #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u32).range(1..=99), help_heading = "Report", conflicts_with = "live")]
    pub repeat: Option<u32>,
    /// Also runs two plain handlers of the tool's own, which write to cache and database as many
    /// programs do: without a journal, and errors are ignored.
    #[arg(long, help_heading = "Report", conflicts_with_all = ["live", "write_through"])]
    pub baseline: bool,
    /// Does not measure first what the tool itself can drive.
    #[arg(long, conflicts_with = "live", help_heading = "Report")]
    pub no_ceiling: bool,
    /// Serves a page that shows both services under load, with buttons that break things, until
    /// Ctrl-C. The load is 200 requests a second, or what the options of a workload say.
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
    /// Runs this workload alone. The other options change what they say of it (steady); in
    /// brackets what they are in steady.
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,
    /// For how long requests are sent, in seconds (20).
    #[arg(long, value_name = "SECONDS", value_parser = seconds(1.0))]
    pub duration: Option<Duration>,
    /// Requests a second, sent when they are due, whether or not those before are answered (2000).
    #[arg(long, value_name = "PER_SECOND", value_parser = within(0.001, 1e6))]
    pub rate: Option<f64>,
    /// As many requests as are answered: each connection sends the next at once.
    #[arg(long, conflicts_with = "rate")]
    pub saturate: bool,
    /// Connections to each service for reads, and as many for all else, each with one request at a
    /// time (64).
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub connections: Option<u32>,
    /// The share of requests that read, 0 to 1 (0.25).
    #[arg(long, value_name = "SHARE", value_parser = within(0.0, 1.0))]
    pub reads: Option<f64>,
    /// The share of requests that delete, 0 to 1 (0.02).
    #[arg(long, value_name = "SHARE", value_parser = within(0.0, 1.0))]
    pub deletes: Option<f64>,
    /// How many different names there are (10000).
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub names: Option<u32>,
    /// Names are asked for unequally: the k-th most popular in proportion to 1/k^EXPONENT.
    #[arg(long, value_name = "EXPONENT", value_parser = within(0.01, 10.0))]
    pub zipf: Option<f64>,
    /// Each name is asked for as often as any other; so it is unless something else is said.
    #[arg(long, conflicts_with = "zipf")]
    pub uniform: bool,
    /// Characters of a record's occupation, 20 to 255 (100).
    #[arg(long, value_name = "CHARACTERS", value_parser = clap::value_parser!(u32).range(20..=255))]
    pub value_size: Option<u32>,
    /// In a burst the rate is so many times higher; 1 for none.
    #[arg(long, value_name = "FACTOR", value_parser = within(1.0, 1e6))]
    pub burst: Option<f64>,
    /// From one burst to the next (5).
    #[arg(long, value_name = "SECONDS", value_parser = seconds(0.0))]
    pub burst_period: Option<Duration>,
    /// The share of that time that is a burst (0.2).
    #[arg(long, value_name = "SHARE", value_parser = within(0.01, 0.99))]
    pub burst_share: Option<f64>,
    /// The database is unavailable for a while (SQLite: it cannot be written).
    #[arg(long)]
    pub outage: bool,
    /// The database is slower by so much for a while.
    #[arg(long, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u64).range(1..=10_000), conflicts_with = "outage")]
    pub slow_down: Option<u64>,
    /// When that begins [a third of the duration].
    #[arg(long, value_name = "SECONDS", value_parser = seconds(0.0))]
    pub fault_from: Option<Duration>,
    /// When that ends [two thirds].
    #[arg(long, value_name = "SECONDS", value_parser = seconds(0.0))]
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
    #[arg(long, value_name = "URL", requires = "database", value_parser = ServerUrl::redis)]
    pub cache: Option<ServerUrl>,
    /// And on this MySQL or MariaDB, in databases of their own that are dropped afterwards.
    #[arg(long, value_name = "URL", requires = "cache", value_parser = ServerUrl::mysql)]
    pub database: Option<ServerUrl>,
    /// A write-through-svc that runs already, as http://HOST:PORT. What is written to it stays there.
    #[arg(long, value_name = "URL", requires = "write_behind", conflicts_with_all = ["cache", "database"], value_parser = service_url::parse)]
    pub write_through: Option<Url>,
    /// And a write-behind-svc.
    #[arg(long, value_name = "URL", requires = "write_through", value_parser = service_url::parse)]
    pub write_behind: Option<Url>,
    /// Takes the services' binaries as they are beside this one, and builds nothing.
    #[arg(long, conflicts_with_all = ["write_through", "write_behind"])]
    pub no_build: bool,
}

impl Arguments {
    /// What is to be run, and how often on each service.
    ///
    /// # Errors
    /// [`Error::Usage`] for what makes no sense, with the options that are wrong.
    pub fn workloads(&self) -> Result<(Vec<Workload>, u32)> {
        Ok(match self.workload == WorkloadArguments::default() {
            // The services' databases are out of reach, so there can be no outage.
            true if self.parts.write_through.is_some() => {
                let [steady, burst, _] = question();
                (vec![steady, burst], self.repeat.unwrap_or(3))
            }
            true => (question().to_vec(), self.repeat.unwrap_or(3)),
            false => (vec![self.workload.workload()?], self.repeat.unwrap_or(1)),
        })
    }
}

impl WorkloadArguments {
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
        set(
            &mut workload.connections,
            self.connections.map(|many| many as usize),
        );
        set(&mut workload.reads, self.reads);
        set(&mut workload.deletes, self.deletes);
        set(&mut workload.names, self.names);
        set(&mut workload.skew, self.zipf.map(Skew::Zipf));
        set(&mut workload.skew, self.uniform.then_some(Skew::Uniform));
        set(
            &mut workload.value_chars,
            self.value_size.map(|many| many as usize),
        );
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

/// `20`, `0.5` or `20s`, at least so many and at most a day.
fn seconds(least: f64) -> impl Fn(&str) -> std::result::Result<Duration, String> + Clone {
    move |text| {
        let number = within(least, 86_400.0)(text.strip_suffix('s').unwrap_or(text))?;
        Ok(Duration::from_secs_f64(number))
    }
}

fn within(least: f64, most: f64) -> impl Fn(&str) -> std::result::Result<f64, String> + Clone {
    move |text| {
        let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
        let fits = (least..=most).contains(&number);
        fits.then_some(number)
            .ok_or_else(|| format!("must be from {least} to {most}"))
    }
}

/// What clap says of a command line that it refuses, without the passwords: it repeats the words.
pub fn complaint(error: &clap::Error, words: impl Iterator<Item = String>) -> String {
    let mut text = error.to_string();
    for word in words {
        let value = match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => value,
            _ => &word,
        };
        let hidden = without_password(value);
        if hidden != value {
            text = text.replace(value, &hidden);
        }
    }
    text
}

/// A word of the command line without the password that may be in it.
pub fn without_password(word: &str) -> String {
    // Also in --database=mysql://…
    let (option, value) = match word.split_once('=') {
        Some((option, value)) if option.starts_with("--") => (format!("{option}="), value),
        _ => (String::new(), word),
    };
    let Ok(mut url) = Url::parse(value) else {
        return match value.contains("://") && value.contains('@') {
            // What cannot be understood may have one anywhere.
            true => format!("{option}***"),
            false => word.to_owned(),
        };
    };
    if url.password().is_none() || url.set_password(Some("***")).is_err() {
        return word.to_owned();
    }
    format!("{option}{url}")
}

#[cfg(test)]
mod tests;
