//! The service that does nothing, as a process of its own: as the real ones are.

use std::env;
use std::net::{SocketAddr, TcpListener};
use std::process::{ExitCode, Stdio};
use std::thread;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::error::{Error, Result};

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
            eprintln!("compare: the service that does nothing: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One that runs. Dropping it kills it.
#[derive(Debug)]
pub struct NoOpProcess {
    address: SocketAddr,
    _child: Child,
}

impl NoOpProcess {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start() -> Result<NoOpProcess> {
        let failed = |why: &dyn std::fmt::Display| {
            Error::failed("starting a service that does nothing", why)
        };
        let tool = env::current_exe().map_err(|why| failed(&why))?;
        let mut child = Command::new(tool)
            .arg(COMMAND)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|why| failed(&why))?;
        let output = child.stdout.take().ok_or_else(|| failed(&"no output"))?;
        let mut line = String::new();
        let mut lines = BufReader::new(output);
        lines.read_line(&mut line).await.map_err(|why| failed(&why))?;
        Ok(NoOpProcess {
            address: line.trim().parse().map_err(|why| failed(&why))?,
            _child: child,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
