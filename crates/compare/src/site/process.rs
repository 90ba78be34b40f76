//! A service as a process of the tool's own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::output::{Tail, keep_reading};
use crate::error::{Error, Result};
use crate::started::StartedChild;

/// How long a service may take until it listens: longer than it waits for its servers.
const START_MAX: Duration = Duration::from_secs(60);
/// How long it may take to stop: longer than it gives itself.
const STOP_MAX: Duration = Duration::from_secs(30);

/// A process that listens. Dropping it kills it.
#[derive(Debug)]
pub struct ServiceProcess {
    name: String,
    child: StartedChild,
    address: SocketAddr,
    tail: Tail,
    readers: Vec<JoinHandle<()>>,
    /// How it was started.
    started: Started,
    is_killed: bool,
}

#[derive(Clone, Debug)]
struct Started {
    binary: PathBuf,
    folder: PathBuf,
    settings: Vec<(String, String)>,
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
        let settings = settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()));
        let started = Started {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            settings: settings.collect(),
        };
        ServiceProcess::start_at(([127, 0, 0, 1], 0).into(), started).await
    }

    async fn start_at(address: SocketAddr, started: Started) -> Result<ServiceProcess> {
        let binary = &started.binary;
        let name = binary.file_name().unwrap_or_default().to_string_lossy();
        let mut command = Command::new(binary);
        command
            .env_clear()
            .env("LISTEN", address.to_string())
            .envs(started.settings.iter().map(|(key, value)| (key, value)))
            .current_dir(&started.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = StartedChild::spawn(&mut command)
            .map_err(|why| Error::failed(format!("starting {}", binary.display()), why))?;

        let tail = Tail::default();
        let (listening, address) = oneshot::channel();
        let mut readers = Vec::new();
        if let Some(stdout) = child.take_stdout() {
            readers.push(keep_reading(stdout, tail.clone(), Some(listening)));
        }
        if let Some(stderr) = child.take_stderr() {
            readers.push(keep_reading(stderr, tail.clone(), None));
        }
        // Whatever happens from here on, dropping it ends the process.
        let mut process = ServiceProcess {
            name: name.into_owned(),
            child,
            address: ([127, 0, 0, 1], 0).into(),
            tail,
            readers,
            started: started.clone(),
            is_killed: false,
        };
        match timeout(START_MAX, address).await {
            Ok(Ok(address)) => {
                process.address = address;
                Ok(process)
            }
            Ok(Err(_)) => {
                let status = process.child.ended_within(STOP_MAX).await;
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
        self.child.pid()
    }

    /// Kills it as `kill -9` does.
    ///
    /// # Errors
    /// When it is there a while later.
    pub async fn kill(&mut self) -> Result<()> {
        self.is_killed = true;
        self.child.signal(Signal::KILL);
        match self.child.ended_within(STOP_MAX).await {
            Some(_) => Ok(()),
            None => Err(self.complaint("does not end")),
        }
    }

    /// Starts it again where it was, killed if it runs.
    ///
    /// # Errors
    /// As [`ServiceProcess::start`].
    pub async fn restart(&mut self) -> Result<()> {
        self.kill().await?;
        *self = ServiceProcess::start_at(self.address, self.started.clone()).await?;
        Ok(())
    }

    /// Has it stop, by SIGTERM, and by SIGKILL where that is not enough in time.
    ///
    /// # Errors
    /// When it had to be killed, or ended with an error; with what it said. It has ended in any
    /// case.
    pub async fn stop(mut self) -> Result<()> {
        self.child.signal(Signal::TERM);
        match self.child.ended_within(STOP_MAX).await {
            Some(status) if status.success() || self.is_killed => Ok(()),
            Some(status) => Err(self.complaint(&format!("ended with {status}"))),
            None => Err(self.complaint(&format!(
                "did not stop in {} s and was killed",
                STOP_MAX.as_secs()
            ))),
        }
    }

    fn complaint(&self, what: &str) -> Error {
        Error::Failed(format!("{} {what}\n{}", self.name, self.tail.text()))
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        // Nothing is lost: what the service had is thrown away with its folder.
        self.child.signal(Signal::KILL);
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}
