//! What the processes use that a comparison is about.

use std::net::SocketAddr;
use std::thread;
use std::time::Instant;

use procfs::CurrentSI as _;
use procfs::process::Process as OfSystem;

use super::Watched;
use super::address::listener_at;
use crate::pattern::Pattern;
use crate::report::ProcessUse;
use crate::server_url::ServerUrl;
use crate::servers::redis::UseReader;

/// What databases are called as programs.
const DATABASES: [&str; 2] = ["mariadbd", "mysqld"];

/// What a process has used since its start.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Used {
    /// User and system time, in seconds.
    cpu_s: f64,
    /// Resident now.
    memory_bytes: u64,
}

/// Those that could be found.
pub(super) struct Processes(Vec<Process>);

struct Process {
    name: &'static str,
    asked: Asked,
    /// When it was looked at first and last.
    cpu_s: Option<(f64, f64)>,
    memory_bytes_max: u64,
}

/// Where the figures of a process come from.
enum Asked {
    System { pid: u32 },
    Redis(UseReader),
}

impl Processes {
    pub(super) async fn find(watched: &Watched) -> Processes {
        let service_pid = match watched.service_pid {
            Some(pid) => Some(pid),
            None => pid_at(watched.service, Pattern::BOTH.map(Pattern::service)).await,
        };
        let mut found = vec![
            (
                "compare",
                Some(Asked::System {
                    pid: std::process::id(),
                }),
            ),
            ("service", service_pid.map(|pid| Asked::System { pid })),
        ];
        if let Some(redis) = &watched.redis {
            let reader = UseReader::connect(redis).await;
            found.push(("Redis", reader.ok().map(Asked::Redis)));
        }
        if let Some(database) = &watched.database {
            let pid = pid_of(database).await;
            found.push(("database", pid.map(|pid| Asked::System { pid })));
        }
        let process = |(name, asked): (&'static str, Option<Asked>)| {
            Some(Process {
                name,
                asked: asked?,
                cpu_s: None,
                memory_bytes_max: 0,
            })
        };
        Processes(found.into_iter().filter_map(process).collect())
    }

    pub(super) async fn look(&mut self) {
        for process in &mut self.0 {
            let used = match &mut process.asked {
                Asked::System { pid } => used(*pid),
                Asked::Redis(reader) => {
                    let used = reader.used().await;
                    used.map(|(cpu_s, memory_bytes)| Used {
                        cpu_s,
                        memory_bytes,
                    })
                }
            };
            if let Some(used) = used {
                process.add(used);
            }
        }
    }

    /// By how much since the first look. Of processes that did not tell, nothing.
    pub(super) fn used(&self) -> Vec<ProcessUse> {
        let used = |process: &Process| {
            let (first, last) = process.cpu_s?;
            Some(ProcessUse {
                process: process.name,
                cpu_s: last - first,
                memory_bytes_max: process.memory_bytes_max,
            })
        };
        self.0.iter().filter_map(used).collect()
    }
}

impl Process {
    fn add(&mut self, used: Used) {
        let (first, last) = self.cpu_s.unwrap_or((used.cpu_s, used.cpu_s));
        // One that has used less than before is another one.
        if used.cpu_s >= last {
            self.cpu_s = Some((first, used.cpu_s));
            self.memory_bytes_max = self.memory_bytes_max.max(used.memory_bytes);
        }
    }
}

async fn pid_of(server: &ServerUrl) -> Option<u32> {
    let host = (server.host().to_owned(), server.port());
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(host).await.ok()?.collect();
    for address in addresses {
        if let Some(pid) = pid_at(address, DATABASES).await {
            return Some(pid);
        }
    }
    None
}

async fn pid_at(address: SocketAddr, names: [&'static str; 2]) -> Option<u32> {
    let look = tokio::task::spawn_blocking(move || listener_at(address, &names));
    look.await.ok().flatten()
}

/// `None` if there is no such process, or `/proc` does not tell.
fn used(pid: u32) -> Option<Used> {
    let stat = OfSystem::new(i32::try_from(pid).ok()?).ok()?.stat().ok()?;
    Some(Used {
        cpu_s: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
        memory_bytes: stat.rss * procfs::page_size(),
    })
}

/// How busy the machine is with what is no part of the comparison, from now on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Others {
    since: Instant,
    busy_s: Option<f64>,
}

impl Others {
    pub(super) fn begin() -> Others {
        Others {
            since: Instant::now(),
            busy_s: busy_s(),
        }
    }

    /// The share of the machine's processor time since then that none of these processes used, 0
    /// to 1. It contains the kernel's work that is not done for a process.
    pub(super) fn share(self, used: &[ProcessUse]) -> Option<f64> {
        let processors = thread::available_parallelism().ok()?.get() as f64;
        let known_s: f64 = used.iter().map(|process| process.cpu_s).sum();
        let others_s = busy_s()? - self.busy_s? - known_s;
        let capacity_s = processors * self.since.elapsed().as_secs_f64();
        (capacity_s > 0.0).then(|| (others_s / capacity_s).clamp(0.0, 1.0))
    }
}

/// Of all processors since the start: all but idle, and waiting for a disk, which is idle as well.
fn busy_s() -> Option<f64> {
    let total = procfs::KernelStats::current().ok()?.total;
    let interrupts = total.irq? + total.softirq? + total.steal?;
    let ticks = total.user + total.nice + total.system + interrupts;
    Some(ticks as f64 / procfs::ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_what_the_system_says() {
        let before = used(std::process::id()).unwrap();
        assert!(before.memory_bytes > 1 << 20, "{before:?}");
        let began = Instant::now();
        while used(std::process::id()).unwrap().cpu_s <= before.cpu_s {
            assert!(began.elapsed().as_secs() < 60, "{before:?}");
        }
        assert_eq!(used(u32::MAX), None);
        let share = Others::begin().share(&[]).unwrap();
        assert!((0.0..=1.0).contains(&share), "{share}");
    }
}
