//! What is asked of both services.

use std::time::Duration;

use serde::Serialize;

mod names;
mod presets;
pub mod record;
mod requests;
mod schedule;
mod validation;

pub use presets::{Preset, question};
pub use requests::Requests;
pub use schedule::Schedule;

/// A workload: the same requests for both services, in the same order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Workload {
    /// What it is called, if it has a name.
    pub preset: Option<&'static str>,
    /// For how long requests are sent, in seconds.
    #[serde(rename = "duration_s", serialize_with = "seconds")]
    pub duration: Duration,
    /// How many are sent.
    pub rate: Rate,
    /// Connections to the service, each with one request at a time.
    pub connections: usize,
    /// The share of requests that read, 0 to 1.
    pub reads: f64,
    /// The share of requests that delete, 0 to 1. The others write.
    pub deletes: f64,
    /// How many different names there are.
    pub names: u32,
    /// How unequally the names are asked for.
    pub skew: Skew,
    /// Characters of a record's `occupation`.
    pub value_chars: usize,
    /// A square wave on the rate.
    pub bursts: Option<Bursts>,
    /// What happens to the database meanwhile.
    pub fault: Option<Fault>,
    /// What the sequence of requests is made from.
    pub seed: u64,
}

impl Workload {
    /// In half a line: `2000 requests a second for 20 s, 25 % reads`.
    pub fn in_words(&self) -> String {
        let seconds = |duration: Duration| format!("{} s", duration.as_secs_f64());
        let mut words = match self.rate {
            Rate::Saturation => "as many requests as are answered".to_owned(),
            Rate::PerSecond(rate) => format!("{rate:.0} requests a second"),
        };
        if let Some(Bursts {
            factor,
            period,
            share,
        }) = self.bursts
        {
            let (length, period) = (seconds(period.mul_f64(share)), seconds(period));
            words += &format!(", {factor} times as many for {length} of every {period}");
        }
        words += &format!(
            " for {}, {:.0} % reads",
            seconds(self.duration),
            self.reads * 100.0
        );
        if let Some(Fault { kind, from, until }) = self.fault {
            let what = match kind {
                FaultKind::Outage => "unavailable".to_owned(),
                FaultKind::SlowDown { delay } => format!("{} ms slower", delay.as_secs_f64() * 1e3),
            };
            words += &format!(
                ", database {what} from {} to {}",
                seconds(from),
                seconds(until)
            );
        }
        words
    }
}

/// How many requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// Each connection sends the next as soon as the last is answered. Latency is
    /// counted from when a request was sent.
    Saturation,
    /// So many a second, whether or not those before are answered. Latency is counted
    /// from when a request should have been sent.
    PerSecond(f64),
}

/// How unequally the names are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Skew {
    /// Each as often as any other.
    Uniform,
    /// The k-th most popular in proportion to 1/k to the power of this exponent.
    Zipf(f64),
}

/// A square wave: for part of each period the rate is higher.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bursts {
    /// What the rate is multiplied by.
    pub factor: f64,
    /// From the begin of one burst to the begin of the next, in seconds. The first one
    /// begins when the low part of the first period is over.
    #[serde(rename = "period_s", serialize_with = "seconds")]
    pub period: Duration,
    /// The share of a period that is a burst, 0 to 1: its end.
    pub share: f64,
}

/// What happens to the database while the workload runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// When it begins, in seconds from the first request.
    #[serde(rename = "from_s", serialize_with = "seconds")]
    pub from: Duration,
    /// When it ends.
    #[serde(rename = "until_s", serialize_with = "seconds")]
    pub until: Duration,
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The database cannot be reached (or, SQLite, not be written).
    Outage,
    /// What is sent to it arrives so much later (or, SQLite, each transaction waits
    /// so long for its turn).
    SlowDown {
        /// By how much.
        #[serde(rename = "delay_ms", serialize_with = "milliseconds")]
        delay: Duration,
    },
}

fn seconds<S: serde::Serializer>(
    duration: &Duration,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

fn milliseconds<S: serde::Serializer>(
    duration: &Duration,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64() * 1e3)
}
