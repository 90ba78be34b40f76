//! What is measured, as processes on fresh parts.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use testkit::http::{Client, Response};
use testkit::parts::{Installation, Parts};
use testkit::servers::redis_url;
use testkit::service::{Service, ServiceProcess};

use crate::Result;
use crate::memory::{self, Memory};
use crate::output::output_of;
use crate::plan::Plan;
use crate::processor::Processes;

/// A service and the fresh parts that it runs on. Dropping it stops the service and removes the parts.
#[derive(Debug)]
pub(crate) struct RunningService {
    // The fields are dropped in this order.
    process: ServiceProcess,
    pub(crate) installation: Installation,
    pub(crate) service: Service,
}

impl RunningService {
    /// Starts the service as it is delivered.
    pub(crate) fn start(service: Service, parts: Parts) -> Result<RunningService> {
        Self::start_binary(service.name(), service, parts)
    }

    /// Starts the service as another binary has it.
    pub(crate) fn start_binary(
        binary: &str,
        service: Service,
        parts: Parts,
    ) -> Result<RunningService> {
        if parts == Parts::RedisMariaDb {
            empty_redis()?;
        }
        let installation = parts.install(service);
        Ok(RunningService {
            process: spawn_on(&installation, binary)?,
            installation,
            service,
        })
    }

    pub(crate) fn base_url(&self) -> &str {
        self.process.base_url()
    }

    /// The request that writes a user.
    pub(crate) fn write_target(&self) -> String {
        format!("POST {}", self.service.write_path())
    }

    pub(crate) fn get(&self, path: &str) -> Result<Response> {
        Ok(self.client().try_request("GET", path, &[], None)?)
    }

    pub(crate) fn client(&self) -> Client {
        self.process.client()
    }

    pub(crate) fn memory(&self) -> Result<Memory> {
        memory::of_process(self.process.id())
    }

    /// The processes whose time counts for a request to this service.
    pub(crate) fn processes(&self, plan: &Plan) -> Result<Processes> {
        match self.installation.database() {
            Some(_) => Processes::with_servers(plan, vec![self.id()]),
            None => Ok(Processes::alone(self.id())),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Starts another process of the service on the same parts. It must be dropped before this value.
    pub(crate) fn start_beside(&self) -> Result<ServiceProcess> {
        spawn_on(&self.installation, self.service.name())
    }

    /// The output so far.
    pub(crate) fn logs(&self) -> String {
        self.process.logs()
    }

    /// Waits until the database has everything. Returns at once from write-through.
    pub(crate) fn flush(&self) -> Result<()> {
        if self.service == Service::WriteThrough {
            return Ok(());
        }
        let path = "/flush?timeout_s=100";
        let response = self.client().try_request("POST", path, &[], None)?;
        match response.status {
            200 => Ok(()),
            status => Err(format!("POST {path} is answered with {status}").into()),
        }
    }

    /// Stops the service and keeps the parts.
    pub(crate) fn stop(mut self) -> Result<Installation> {
        let status = self.process.terminate();
        if status.success() {
            Ok(self.installation)
        } else {
            Err(format!("{} ended with {status}", self.service.name()).into())
        }
    }
}

fn spawn_on(installation: &Installation, binary: &str) -> Result<ServiceProcess> {
    let mut command = command(binary)?;
    command
        .envs(installation.settings())
        .current_dir(installation.folder());
    Ok(ServiceProcess::spawn(command))
}

/// Starts the handlers that everything is compared with.
pub(crate) fn start_baseline() -> Result<ServiceProcess> {
    Ok(ServiceProcess::spawn(command("bench-baseline")?))
}

/// A binary of this workspace with an empty environment, on a free port.
fn command(binary: &str) -> Result<Command> {
    let path = beside_this(binary)?;
    if !path.is_file() {
        return Err(format!("{} is not there: run scripts/bench", path.display()).into());
    }
    let mut command = Command::new(path);
    command.env_clear().env("LISTEN", "127.0.0.1:0");
    Ok(command)
}

fn beside_this(binary: &str) -> Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(binary))
}

fn empty_redis() -> Result<()> {
    output_of(Command::new("redis-cli").args(["-u", &redis_url(), "FLUSHALL"]))?;
    Ok(())
}

/// What the tables call the parts.
pub(crate) fn name_of(parts: Parts) -> &'static str {
    match parts {
        Parts::Embedded => "embedded",
        Parts::RedisMariaDb => "Redis + MariaDB",
    }
}
