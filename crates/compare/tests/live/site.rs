//! The tool as it serves the page.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long it may take to stop with everything that it has started.
const STOP_MAX: Duration = Duration::from_secs(60);

/// How long it may take to end at once, when a test has failed.
const END_MAX: Duration = Duration::from_secs(20);

/// A run of `compare --live` on a free port and embedded parts.
pub(crate) struct Live {
    child: Child,
    pub(crate) url: String,
    /// What it says of the services: `write-through  http://…`.
    pub(crate) services: Vec<(String, String)>,
    data: TempDir,
}

impl Live {
    pub(crate) fn start(words: &[&str]) -> Live {
        let data = TempDir::new().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_compare"))
            .args(["--live", "--no-build", "--listen", "127.0.0.1:0"])
            .args(words)
            .env("TMPDIR", data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut live = Live {
            child,
            url: String::new(),
            services: Vec::new(),
            data,
        };
        while live.url.is_empty() {
            let mut line = String::new();
            assert!(output.read_line(&mut line).unwrap() > 0, "it has ended");
            let (name, url) = line.trim().split_once("  ").unwrap();
            if name == "listening" {
                live.url = url.to_owned();
            } else {
                live.services.push((name.to_owned(), url.to_owned()));
            }
        }
        thread::spawn(move || output.read_to_end(&mut Vec::new()));
        live
    }

    /// Where a pattern's service listens.
    pub(crate) fn service(&self, pattern: &str) -> &str {
        let found = self.services.iter().find(|(name, _)| name == pattern);
        found.unwrap().1.as_str()
    }

    /// The file. Only write-behind has a journal beside it.
    pub(crate) fn database_of_write_behind(&self) -> PathBuf {
        let folders = std::fs::read_dir(self.data.path()).unwrap();
        let mut folders = folders.map(|folder| folder.unwrap().path());
        let found = folders.find(|folder| folder.join("journal").exists());
        found.unwrap().join("users.db")
    }

    /// Ctrl-C, and what is left behind afterwards.
    pub(crate) fn stop(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.interrupt().expect("it does not stop");
        let left = std::fs::read_dir(self.data.path()).unwrap();
        let names = left.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        (status, names.collect())
    }
}

impl Live {
    /// `None` where it does not stop in time.
    fn interrupt(&mut self) -> Option<ExitStatus> {
        kill_process(Pid::from_child(&self.child), Signal::INT).ok()?;
        let deadline = Instant::now() + STOP_MAX;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().ok()? {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Two of them: it ends at once, with what it has started.
            for signal in [Signal::INT, Signal::TERM] {
                let _ = kill_process(Pid::from_child(&self.child), signal);
            }
            let deadline = Instant::now() + END_MAX;
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(20));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
