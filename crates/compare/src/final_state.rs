//! What is there in the end: all records of a workload, read from the database itself, or where
//! that is out of reach, through the service.

mod by_service;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::kept::{Kept, Row};
use crate::servers::mysql;
use crate::service_client::ServiceClient;
use crate::site::{Database, RunningService};
use crate::sqlite;

/// All that is there of a workload.
#[derive(Clone, Debug)]
pub struct FinalState {
    /// What was asked, as `report::Check` has it: `database` or `service`.
    pub asked: &'static str,
    /// By name. A name that never was may be absent.
    pub kept: HashMap<String, Kept>,
}

impl FinalState {
    fn of(asked: &'static str, rows: Vec<Row>) -> FinalState {
        FinalState {
            asked,
            kept: rows.into_iter().map(|row| (row.name, row.kept)).collect(),
        }
    }
}

/// Reads what is there under these names, which all begin with `prefix`. The service may run
/// meanwhile, and must where its database is out of reach.
///
/// # Errors
/// When it cannot be read.
pub async fn read(service: &RunningService, prefix: &str, names: &[String]) -> Result<FinalState> {
    let rows = match service.database() {
        Some(Database::Sqlite(file)) => {
            let (file, prefix) = (file.clone(), prefix.to_owned());
            let read = tokio::task::spawn_blocking(move || sqlite::rows(&file, &prefix)).await;
            let failed = |why: &dyn std::fmt::Display| {
                Error::failed("reading what is in the service's SQLite file", why)
            };
            let rows = read.map_err(|why| failed(&why))?;
            rows.map_err(|why| failed(&why))?
        }
        Some(Database::Mysql(database)) => mysql::rows(database, prefix).await?,
        None => return answers(service, names).await,
    };
    Ok(FinalState::of("database", rows))
}

/// What the service answers under these names: all that it has acknowledged, also where its
/// database does not have everything yet.
///
/// # Errors
/// When it does not answer.
pub async fn answers(service: &RunningService, names: &[String]) -> Result<FinalState> {
    let rows = by_service::rows(service.address(), names).await?;
    Ok(FinalState::of("service", rows))
}

/// Waits until the database has everything that was acknowledged, `timeout_s` seconds at most
/// (3600). Returns how long that took, in seconds: 0 with write-through; `None` if it was not
/// over in time, or the service does not say.
pub async fn settle(service: &RunningService, timeout_s: u32) -> Option<f64> {
    match service.pattern().is_behind() {
        false => Some(0.0),
        true => {
            // The service gives up first.
            let wait_timeout = Duration::from_secs(u64::from(timeout_s) + 5);
            let mut client = ServiceClient::new(service.address(), wait_timeout);
            let began = Instant::now();
            let flushed = client.post(&format!("/flush?timeout_s={timeout_s}")).await;
            let is_over = flushed.is_ok_and(|reply| reply.status.is_success());
            is_over.then(|| began.elapsed().as_secs_f64())
        }
    }
}
