//! The binary in a folder of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use procfs::process::Process;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

/// How long a comparison of a few seconds may take on a machine that does much else.
const WAIT_TIMEOUT: Duration = Duration::from_secs(180);

/// How long it may take to end at once, when a test has failed.
const END_MAX: Duration = Duration::from_secs(20);

/// A run of the tool.
pub(crate) struct Tool {
    child: Child,
    folder: TempDir,
    stderr: mpsc::Receiver<String>,
    stdout: Option<thread::JoinHandle<String>>,
    said: String,
}

/// How it ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// `null` where there is no report.
    pub(crate) report: Value,
    pub(crate) html: String,
    folder: TempDir,
}

impl Tool {
    /// Starts it. Its report goes to a folder of its own, and so do the services' data.
    pub(crate) fn start(words: &[&str]) -> Tool {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_compare"))
            .args(words)
            .arg("--output")
            .arg(folder.path())
            .env("TMPDIR", &data)
            .stdin(Stdio::null())
            // A process group of its own, so that a signal to it reaches no other
            // process.
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, stderr) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut output = child.stdout.take().unwrap();
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).unwrap();
            text
        });
        Tool {
            child,
            folder,
            stderr,
            stdout: Some(stdout),
            said: String::new(),
        }
    }

    /// Where the services keep their data.
    pub(crate) fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Waits until it has said this on standard error.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        while !self.said.contains(text) {
            match self
                .stderr
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.said += &(line + "\n"),
                Err(_) => panic!("it does not say {text:?}: {}", self.said),
            }
        }
    }

    /// The processes that it has started and that still run.
    pub(crate) fn children(&self) -> Vec<u32> {
        let own = Process::new(self.child.id().cast_signed()).unwrap();
        let tasks = own.tasks().unwrap().flatten();
        tasks
            .filter_map(|task| task.children().ok())
            .flatten()
            .collect()
    }

    /// To its whole group, as a terminal does.
    pub(crate) fn send(&self, signal: Signal) {
        kill_process_group(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        loop {
            match self
                .stderr
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.said += &(line + "\n"),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end: {}", self.said),
            }
        }
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let read =
            |name| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        Ended {
            code,
            stdout: self.stdout.take().unwrap().join().unwrap(),
            stderr: self.said.clone(),
            report: serde_json::from_str(&read("report.json")).unwrap_or_default(),
            html: read("report.html"),
            folder: std::mem::replace(&mut self.folder, TempDir::new().unwrap()),
        }
    }
}

impl Drop for Tool {
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

/// Runs it to its end.
pub(crate) fn compare(words: &[&str]) -> Ended {
    Tool::start(words).end()
}

impl Ended {
    /// The same, after checking that it went well.
    pub(crate) fn well(self) -> Ended {
        assert_eq!(self.code, 0, "{}\n{}", self.stderr, self.stdout);
        self
    }

    /// What a pattern's service made of the first workload, the first time.
    pub(crate) fn service(&self, pattern: &str) -> &Value {
        let mut runs = self.runs().iter();
        let found = runs.find(|run| run["pattern"] == pattern);
        found.unwrap_or_else(|| panic!("no {pattern}: {}", self.report))
    }

    /// All runs of the first workload.
    pub(crate) fn runs(&self) -> &Vec<Value> {
        self.report["scenarios"][0]["runs"].as_array().unwrap()
    }

    /// What the services and the tool left where temporary files are.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        names(&self.folder.path().join("data"))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

/// A number in a report.
pub(crate) fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("no number: {value}"))
}
