//! A service as a process of the tool's own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::output::{Tail, keep_reading};
use crate::error::{Error, Result};

/// How long a service may take until it listens: longer than it waits for its servers.
const START_MAX: Duration = Duration::from_secs(60);
/// How long it may take to stop: longer than it gives itself.
const STOP_MAX: Duration = Duration::from_secs(30);
/// How often it is looked after whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A process that listens. Dropping it kills it.
#[derive(Debug)]
pub struct ServiceProcess {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
    address: SocketAddr,
    tail: Tail,
    readers: Vec<JoinHandle<()>>,
}

impl ServiceProcess {
    /// Starts the binary in `folder`, with nothing in its environment but `settings` and a free
    /// port to listen on. Returns when it listens.
    ///
    /// # Errors
    /// When it cannot be started, ends instead or does not listen in time; with what it said.
    pub async fn start(
        binary: &Path,
        folder: &Path,
        settings: &[(&str, String)],
    ) -> Result<ServiceProcess> {
        let name = binary.file_name().unwrap_or_default().to_string_lossy();
        let mut command = Command::new(binary);
        command
            .env_clear()
            .env("LISTEN", "127.0.0.1:0")
            .envs(settings.iter().map(|(key, value)| (key, value)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        in_a_group_of_its_own(&mut command);
        let mut child = command
            .spawn()
            .map_err(|why| Error::failed(format!("starting {}", binary.display()), why))?;

        let tail = Tail::default();
        let (listening, address) = oneshot::channel();
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            readers.push(keep_reading(stdout, tail.clone(), Some(listening)));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.push(keep_reading(stderr, tail.clone(), None));
        }
        // Whatever happens from here on, dropping it ends the process.
        let mut process = ServiceProcess {
            name: name.into_owned(),
            child,
            status: None,
            address: ([127, 0, 0, 1], 0).into(),
            tail,
            readers,
        };
        match timeout(START_MAX, address).await {
            Ok(Ok(address)) => {
                process.address = address;
                Ok(process)
            }
            Ok(Err(_)) => {
                let status = process.end_within(STOP_MAX).await;
                let how = status.map_or("stopped to write".to_owned(), |status| status.to_string());
                Err(process.complaint(&format!("did not start ({how})")))
            }
            Err(_) => {
                Err(process.complaint(&format!("does not listen after {} s", START_MAX.as_secs())))
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The last lines that it wrote.
    pub fn last_lines(&self) -> String {
        self.tail.text()
    }

    /// Has it stop, by SIGTERM, and by SIGKILL where that is not enough in time.
    ///
    /// # Errors
    /// When it had to be killed, or ended with an error; with what it said. It has ended in any
    /// case.
    pub async fn stop(mut self) -> Result<()> {
        if self.ended().is_none() {
            // It may end this very moment, which is as well: it is not waited for, so its id is
            // still its own.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
        match self.end_within(STOP_MAX).await {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.complaint(&format!("ended with {status}"))),
            None => Err(self.complaint(&format!(
                "did not stop in {} s and was killed",
                STOP_MAX.as_secs()
            ))),
        }
    }

    async fn end_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        while self.ended().is_none() && Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
        }
        self.status
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    fn complaint(&self, what: &str) -> Error {
        Error::Failed(format!("{} {what}\n{}", self.name, self.tail.text()))
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        if self.ended().is_none() {
            // Nothing is lost: what the service had is thrown away with its folder.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

/// Ctrl-C goes to a terminal's whole group: there the tool decides when its services stop.
fn in_a_group_of_its_own(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}
