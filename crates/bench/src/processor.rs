//! Processor time by process, which is the figure that survives a noisy machine.

use std::ops::Sub;

use procfs::process::Process;

use crate::Result;
use crate::figures::{Measure, Row};
use crate::load_result::Load;
use crate::machine::redis_info;
use crate::plan::Plan;

const SERVICE: Measure = Measure::less("service µs", 1);
const REDIS: Measure = Measure::less("Redis µs", 1);
const DATABASE: Measure = Measure::less("MariaDB µs", 1);
const LOAD: Measure = Measure::plain("load µs", 1);

/// The processes that take part in a request, other than the load.
#[derive(Debug)]
pub(crate) struct Processes {
    services: Vec<u32>,
    servers: Option<Servers>,
}

#[derive(Debug)]
struct Servers {
    redis: u32,
    database: u32,
}

impl Processes {
    /// Services on Redis and MariaDB.
    pub(crate) fn with_servers(plan: &Plan, services: Vec<u32>) -> Result<Processes> {
        let servers = Servers {
            redis: redis_info("server", "process_id")?.parse()?,
            database: plan.mariadb.as_raw_nonzero().get().unsigned_abs(),
        };
        Ok(Processes {
            services,
            servers: Some(servers),
        })
    }

    /// A service without servers.
    pub(crate) fn alone(service: u32) -> Processes {
        Processes {
            services: vec![service],
            servers: None,
        }
    }

    /// What they have used so far.
    pub(crate) fn used(&self) -> Result<Used> {
        let mut used = Used {
            service_s: 0.0,
            servers_s: None,
        };
        for service in &self.services {
            used.service_s += seconds_of(*service)?;
        }
        if let Some(servers) = &self.servers {
            used.servers_s = Some((seconds_of(servers.redis)?, seconds_of(servers.database)?));
        }
        Ok(used)
    }
}

/// Processor time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Used {
    service_s: f64,
    /// Redis and the database.
    servers_s: Option<(f64, f64)>,
}

impl Used {
    /// Adds what each process used for one of these requests.
    pub(crate) fn add_to(self, row: &mut Row<'_>, load: &Load) {
        let each = |seconds| 1e6 * seconds / load.succeeded as f64;
        row.add(SERVICE, each(self.service_s));
        if let Some((redis_s, database_s)) = self.servers_s {
            row.add(REDIS, each(redis_s));
            row.add(DATABASE, each(database_s));
        }
        row.add(LOAD, each(load.cpu_s));
    }

    /// What the database used for one request, in microseconds.
    pub(crate) fn database_us(self, load: &Load) -> f64 {
        let (_, database_s) = self.servers_s.unwrap_or_default();
        1e6 * database_s / load.succeeded as f64
    }

    /// What all processes and the load used for one request, in microseconds.
    pub(crate) fn all_us(self, load: &Load) -> f64 {
        let (redis_s, database_s) = self.servers_s.unwrap_or_default();
        1e6 * (self.service_s + redis_s + database_s + load.cpu_s) / load.succeeded as f64
    }
}

impl Sub for Used {
    type Output = Used;

    fn sub(self, earlier: Used) -> Used {
        let servers_s = self.servers_s.zip(earlier.servers_s);
        Used {
            service_s: self.service_s - earlier.service_s,
            servers_s: servers_s.map(|(now, then)| (now.0 - then.0, now.1 - then.1)),
        }
    }
}

/// The processor time of a process and of its children that have ended, since it began.
pub(crate) fn seconds_of(id: u32) -> Result<f64> {
    let stat = Process::new(id.try_into()?)?.stat()?;
    let of_children = u64::try_from(stat.cutime + stat.cstime)?;
    let ticks = stat.utime + stat.stime + of_children;
    Ok(ticks as f64 / procfs::ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;

    #[test]
    fn time_is_shared_among_the_requests_that_succeeded() {
        let before = Used {
            service_s: 1.0,
            servers_s: Some((2.0, 3.0)),
        };
        let after = Used {
            service_s: 1.5,
            servers_s: Some((2.25, 3.125)),
        };
        let load = Load {
            succeeded: 50_000,
            failed: 10,
            broken: 0,
            seconds: 1.0,
            p50_ms: 1.0,
            p99_ms: 1.0,
            p999_ms: 1.0,
            cpu_s: 0.5,
        };
        let mut figures = Figures::default();
        (after - before).add_to(&mut figures.row("writes", "unique"), &load);
        let values: Vec<f64> = figures.0.iter().map(|figure| figure.value()).collect();
        assert_eq!(values, [10.0, 5.0, 2.5, 10.0]);
        assert_eq!((after - before).all_us(&load), 27.5);
        assert_eq!((after - before).database_us(&load), 2.5);
    }
}
