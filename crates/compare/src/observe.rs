//! Watching a service and what it runs on, from before the first request until the database has
//! everything.

mod address;
mod load;
mod processes;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use cache_http::figures::Snapshot;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::report::{CommitLag, DatabaseLoad, JournalPeak, ProcessUse, Slice};
use crate::server_url::ServerUrl;
use crate::servers::mysql::{Counts, StatusReader};
use crate::service_client::ServiceClient;
use crate::site::{Database, RunningService};

use processes::{Others, Processes};

/// How long the service may take to give its figures. It counts as silent then, until the next look.
const WAIT_TIMEOUT: Duration = Duration::from_secs(2);
/// How many looks are kept: ten hours of four a second. What happened after that is in no slice,
/// but in all sums.
const LOOKS_MAX: usize = 144_000;

/// What can be watched.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Where the service listens.
    pub service: SocketAddr,
    /// Its process, if that is known.
    pub service_pid: Option<u32>,
    /// Its Redis, if it has one that can be asked.
    pub redis: Option<ServerUrl>,
    /// Its database, if that is on a server that can be asked.
    pub database: Option<ServerUrl>,
}

impl Watched {
    /// All that is known of a service.
    pub fn of(service: &RunningService) -> Watched {
        let database = match service.database() {
            Some(Database::Mysql(url)) => Some(url.clone()),
            Some(Database::Sqlite(_)) | None => None,
        };
        Watched {
            service: service.address(),
            service_pid: service.pid(),
            redis: service.redis().cloned(),
            database,
        }
    }
}

/// Looks again and again, until it is stopped. Dropping it ends it.
#[derive(Debug)]
pub struct Observer {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Observations>,
}

impl Observer {
    /// Looks for the first time, and then `every` so often.
    pub async fn start(watched: Watched, every: Duration) -> Observer {
        let mut watch = Watch::begin(watched).await;
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks.tick().await;
            loop {
                tokio::select! {
                    _ = ticks.tick() => watch.look().await,
                    _ = &mut stopped => return watch.end().await,
                }
            }
        });
        Observer { stop, task }
    }

    /// Looks for the last time. `None` if watching has failed altogether.
    pub async fn stop(self) -> Option<Observations> {
        // It is still there, so it hears.
        let _ = self.stop.send(());
        self.task.await.ok()
    }
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    looks: Vec<Look>,
    first: Option<Snapshot>,
    last: Option<Snapshot>,
    by_server: Option<Counts>,
    processes: Vec<ProcessUse>,
    others_share: Option<f64>,
}

/// What a service's figures were at a time. Counts are since its start.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Look {
    at: Instant,
    journal_depth: Option<f64>,
    journal_age_s: Option<f64>,
}

impl Look {
    fn of(snapshot: &Snapshot, at: Instant) -> Look {
        Look {
            at,
            journal_depth: snapshot.gauge("write_cache_journal_depth_entries", &[]),
            journal_age_s: snapshot.gauge("write_cache_journal_oldest_age_seconds", &[]),
        }
    }
}

impl Observations {
    /// What the database was asked while it was watched: by the server if it could be asked,
    /// else by the service; `None` if neither says.
    ///
    /// A server counts the statements of all its clients, so another program's load on it is counted,
    /// too. It is asked at both ends; where it does not answer at one of them the service's own counts
    /// are taken. So of two services on the same server one may be counted by the server and the other
    /// by itself: `counted_by` says which.
    pub fn database(&self) -> Option<DatabaseLoad> {
        load::database(self)
    }

    /// How long after the answer the database had committed a write at most, as the service counts
    /// it; `None` where it does not.
    pub fn commit_lag(&self) -> Option<CommitLag> {
        load::commit_lag(self)
    }

    /// Fills in what was in the journal at the end of each slice; `began` is the time of the first
    /// request. A slice without a look stays as it is.
    pub fn fill_in(&self, slices: &mut [Slice], began: Instant) {
        let after = |seconds: f64| {
            let time = Duration::try_from_secs_f64(seconds).ok()?;
            began.checked_add(time)
        };
        for slice in slices {
            let (from, until) = (after(slice.at_s), after(slice.at_s + slice.seconds));
            let within = |look: &&Look| Some(look.at) > from && Some(look.at) <= until;
            if let Some(last) = self.looks.iter().rfind(within) {
                slice.journal_depth = last.journal_depth.map(|depth| depth as u64);
                slice.journal_age_s = last.journal_age_s;
            }
        }
    }

    /// The most that was seen to wait in the journal; `None` where there is none.
    pub fn journal(&self) -> Option<JournalPeak> {
        let peak = |figure: fn(&Look) -> Option<f64>| {
            self.looks.iter().filter_map(figure).reduce(f64::max)
        };
        Some(JournalPeak {
            depth: peak(|look| look.journal_depth)? as u64,
            age_s: peak(|look| look.journal_age_s).unwrap_or(0.0),
        })
    }

    /// The share of the machine's processor time that went to nothing of that, 0 to 1.
    pub fn others_share(&self) -> Option<f64> {
        self.others_share
    }

    /// What the processes used that could be watched, the tool itself among them.
    pub fn processes(&self) -> &[ProcessUse] {
        &self.processes
    }
}

/// Everything that is asked, again and again.
struct Watch {
    service: ServiceClient,
    status: Option<(StatusReader, Counts)>,
    processes: Processes,
    others: Others,
    seen: Observations,
}

impl Watch {
    async fn begin(watched: Watched) -> Watch {
        let processes = Processes::find(&watched).await;
        let mut watch = Watch {
            service: ServiceClient::new(watched.service, WAIT_TIMEOUT),
            status: None,
            processes,
            others: Others::begin(),
            seen: Observations::default(),
        };
        watch.look().await;
        // Last, so that little of what is asked here is counted.
        if let Some(database) = &watched.database
            && let Ok(mut reader) = StatusReader::connect(database).await
            && let Ok(counts) = reader.begin().await
        {
            watch.status = Some((reader, counts));
        }
        watch
    }

    async fn look(&mut self) {
        self.processes.look().await;
        let Ok(reply) = self.service.get("/metrics").await else {
            return;
        };
        let Ok(snapshot) = Snapshot::parse(&String::from_utf8_lossy(&reply.body)) else {
            return;
        };
        if self.seen.looks.len() < LOOKS_MAX {
            self.seen.looks.push(Look::of(&snapshot, Instant::now()));
        }
        self.seen.first.get_or_insert_with(|| snapshot.clone());
        self.seen.last = Some(snapshot);
    }

    async fn end(mut self) -> Observations {
        if let Some((mut reader, before)) = self.status.take() {
            let after = reader.end().await;
            self.seen.by_server = after.ok().map(|after| after.since(before));
        }
        self.look().await;
        self.seen.processes = self.processes.used();
        self.seen.others_share = self.others.share(&self.seen.processes);
        self.seen
    }
}
