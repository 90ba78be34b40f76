//! Whether the database has what was acknowledged. It is asked itself, past the service.

use std::collections::HashMap;
use std::process::Command;

use serde_json::Value;
use testkit::parts::Installation;
use testkit::service::Service;

use crate::Result;
use crate::output::output_of;
use crate::services::RunningService;

/// How many names `lua/hot.lua` writes.
const HOT_NAMES: u32 = 1000;

/// How many rows fewer the database has than names were written, after stopping the service.
pub(crate) fn missing(service: RunningService, written: u64) -> Result<u64> {
    let kind = service.service;
    let installation = service.stop()?;
    let rows = rows(&installation, kind, "SELECT COUNT(*) FROM users")?;
    let count = rows.first().and_then(|row| row.first());
    let count: u64 = count.ok_or("no count of the rows")?.parse()?;
    Ok(written.saturating_sub(count))
}

/// How often the service is asked for all hot names until its answers stay the same.
const ROUNDS_MAX: usize = 20;

/// How many of the hot names have another value in the database than the service answers, after stopping
/// the service.
pub(crate) fn differing(service: RunningService) -> Result<u64> {
    let answers = last_answers(&service)?;
    let kind = service.service;
    let installation = service.stop()?;
    let mut in_database: HashMap<String, [String; 2]> = HashMap::new();
    for row in rows(
        &installation,
        kind,
        "SELECT name, age, occupation FROM users",
    )? {
        let [name, age, occupation] = row
            .try_into()
            .map_err(|row| format!("not a user: {row:?}"))?;
        in_database.insert(name, [age, occupation]);
    }
    let differs = answers
        .iter()
        .filter(|(name, value)| in_database.get(*name) != value.as_ref());
    Ok(differs.count() as u64)
}

/// What the service answers in the end: requests that the load gave up when its time was over are still
/// done.
fn last_answers(service: &RunningService) -> Result<HashMap<String, Option<[String; 2]>>> {
    let mut answers = answers(service)?;
    for _ in 1..ROUNDS_MAX {
        let before = std::mem::replace(&mut answers, self::answers(service)?);
        if before == answers {
            return Ok(answers);
        }
    }
    Err(format!("the answers still change after {ROUNDS_MAX} rounds").into())
}

fn answers(service: &RunningService) -> Result<HashMap<String, Option<[String; 2]>>> {
    let mut answers = HashMap::new();
    for number in 0..HOT_NAMES {
        let name = format!("hot-{number}");
        let response = service.get(&format!("/users/{name}"))?;
        let value = match response.status {
            200 => Some(value_of(&response.body)?),
            404 => None,
            status => return Err(format!("GET of a name is answered with {status}").into()),
        };
        answers.insert(name, value);
    }
    Ok(answers)
}

/// Age and occupation.
fn value_of(body: &[u8]) -> Result<[String; 2]> {
    let user: Value = serde_json::from_slice(body)?;
    let age = user.get("age").and_then(Value::as_u64);
    let occupation = user.get("occupation").and_then(Value::as_str);
    match (age, occupation) {
        (Some(age), Some(occupation)) => Ok([age.to_string(), occupation.to_owned()]),
        _ => Err("a user without age or occupation is answered".into()),
    }
}

/// What the database says. SQLite's file is locked while the service runs.
fn rows(installation: &Installation, service: Service, sql: &str) -> Result<Vec<Vec<String>>> {
    if let Some(database) = installation.database() {
        return Ok(database.query_rows(sql));
    }
    let folder = service.name().trim_end_matches("-svc");
    let file = installation
        .folder()
        .join("data")
        .join(folder)
        .join("users.db");
    let output = output_of(
        Command::new("sqlite3")
            .args(["-batch", "-noheader", "-readonly", "-separator", "\t"])
            .arg(file)
            .arg(sql),
    )?;
    let text = String::from_utf8(output.stdout)?;
    let cells = |line: &str| line.split('\t').map(str::to_owned).collect();
    Ok(text.lines().map(cells).collect())
}
