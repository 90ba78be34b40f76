//! The service that does nothing, as a process of its own: as the real ones are.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use crate::error::{Error, Result};
use crate::say::say;
use crate::started::StartedChild;

/// The argument that makes of this tool such a process.
pub const COMMAND: &str = "no-op-service";

/// What such a process does: says on standard output where it listens, and serves until it
/// is ended.
pub fn main() -> ExitCode {
    let served = TcpListener::bind("127.0.0.1:0").and_then(|listener| {
        println!("{}", listener.local_addr()?);
        // The server has a runtime of its own, which must not be made inside another.
        let serving = thread::spawn(move || super::serve(listener));
        serving
            .join()
            .unwrap_or_else(|_| Err(std::io::Error::other("the server panicked")))
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the service that does nothing: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// One that runs. Dropping it kills it.
#[derive(Debug)]
pub struct NoOpProcess {
    address: SocketAddr,
    _child: StartedChild,
}

impl NoOpProcess {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start() -> Result<NoOpProcess> {
        // It says where it listens at once, or ends.
        let started = tokio::task::spawn_blocking(start).await;
        started
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .map_err(|why| Error::failed("starting a service that does nothing", why))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn start() -> std::io::Result<NoOpProcess> {
    let mut command = Command::new(env::current_exe()?);
    command
        .arg(COMMAND)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = StartedChild::spawn(&mut command)?;
    let mut line = String::new();
    if let Some(output) = child.take_stdout() {
        BufReader::new(output).read_line(&mut line)?;
    }
    Ok(NoOpProcess {
        address: line.trim().parse().map_err(std::io::Error::other)?,
        _child: child,
    })
}
