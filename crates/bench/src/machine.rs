//! The machine and the servers, as they describe themselves.

use std::process::Command;
use std::thread;

use procfs::{CpuInfo, Current as _, Meminfo};
use rustix::system::uname;
use serde::{Deserialize, Serialize};
use testkit::servers::{TestDatabase, redis_url};

use crate::Result;
use crate::output::output_of;

/// On what was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    pub(crate) redis: String,
    pub(crate) database: String,
}

impl Machine {
    /// This machine and the servers that were started for the run.
    pub(crate) fn this() -> Result<Machine> {
        let database = TestDatabase::create();
        let version = database.query_rows("SELECT VERSION()");
        let version = version.first().and_then(|row| row.first());
        Ok(Machine {
            processor: CpuInfo::current()?
                .model_name(0)
                .unwrap_or_default()
                .to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_mib: Meminfo::current()?.mem_total >> 20,
            kernel: uname().release().to_string_lossy().into_owned(),
            redis: redis_info("server", "redis_version")?,
            database: version.cloned().unwrap_or_default(),
        })
    }

    pub(crate) fn in_words(&self) -> String {
        format!(
            "{}, {} cores, {:.1} GiB, Linux {}, Redis {}, {}",
            self.processor,
            self.cores,
            self.memory_mib as f64 / 1024.0,
            self.kernel,
            self.redis,
            self.database
        )
    }
}

/// A field of a section of Redis's `INFO`.
pub(crate) fn redis_info(section: &str, name: &str) -> Result<String> {
    let output = output_of(Command::new("redis-cli").args(["-u", &redis_url(), "INFO", section]))?;
    let text = String::from_utf8(output.stdout)?;
    field(&text, name).ok_or_else(|| format!("Redis does not tell its {name}").into())
}

/// The first value of `name: value`.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_names() {
        assert_eq!(
            field("redis_version:7.0.15\r\n", "redis_version").unwrap(),
            "7.0.15"
        );
        assert_eq!(field("redis_version:7.0.15\r\n", "version"), None);
    }
}
