//! The services as processes of their own: the real binaries, killed for real.

use std::env;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::http::Client;

/// How long a service may take until it listens.
pub const START_SECONDS_MAX: u64 = 60;

/// How long a service may take to end after SIGTERM or SIGINT.
pub const STOP_SECONDS_MAX: u64 = 60;

/// How much of a service's output is kept; past it, the oldest is forgotten.
pub const LOG_BYTES_MAX: usize = 16 << 20;

/// Which of the two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The service that answers a write when the database has it.
    WriteThrough,
    /// The service that answers a write when the journal has it.
    WriteBehind,
}

impl Service {
    /// Both.
    pub fn all() -> [Service; 2] {
        [Service::WriteThrough, Service::WriteBehind]
    }

    /// The name of the package and of the binary.
    pub fn name(self) -> &'static str {
        match self {
            Service::WriteThrough => "write-through-svc",
            Service::WriteBehind => "write-behind-svc",
        }
    }

    /// The port when nothing is configured.
    pub fn default_port(self) -> u16 {
        match self {
            Service::WriteThrough => 8080,
            Service::WriteBehind => 8081,
        }
    }

    /// The path that takes the service's own kind of write.
    pub fn write_path(self) -> &'static str {
        match self {
            Service::WriteThrough => "/write-through",
            Service::WriteBehind => "/write-behind",
        }
    }

    /// The path that takes the service's own kind of read.
    pub fn read_path(self) -> &'static str {
        match self {
            Service::WriteThrough => "/read-through",
            Service::WriteBehind => "/read-behind",
        }
    }

    /// The binary with an empty environment and no arguments, for a test that runs it to its end:
    /// `run_to_end(service.command().arg("--help"))`.
    ///
    /// # Panics
    ///
    /// When the binary is not beside the test, in cargo's target directory.
    pub fn command(self) -> Command {
        let mut command = Command::new(self.binary());
        command.env_clear().stdin(Stdio::null());
        command
    }

    fn binary(self) -> PathBuf {
        // A test is in target/<profile>/deps/, a binary in target/<profile>/.
        let test = env::current_exe().expect("the path of the test");
        let profile_folder = test.ancestors().nth(2).expect("cargo's target folder");
        let binary = profile_folder.join(format!("{}{}", self.name(), env::consts::EXE_SUFFIX));
        assert!(
            binary.is_file(),
            "{} is not there: run scripts/test, which builds it",
            binary.display()
        );
        binary
    }
}

/// Runs a command that ends by itself, and returns what it has written.
///
/// # Panics
///
/// When it has not ended within [`STOP_SECONDS_MAX`], after killing it.
pub fn run_to_end(command: &mut Command) -> Output {
    run_to_end_within(command, Duration::from_secs(STOP_SECONDS_MAX))
}

/// The same with another timeout.
///
/// # Panics
///
/// When it has not ended by then, after killing it.
pub fn run_to_end_within(command: &mut Command, timeout: Duration) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdout = read_to_end(child.stdout.take().expect("a piped stdout"));
    let stderr = read_to_end(child.stderr.take().expect("a piped stderr"));

    let deadline = Instant::now() + timeout;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the state of the process") {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{command:?} still runs after {timeout:?}");
        }
        thread::sleep(Duration::from_millis(2));
    };
    Output {
        status,
        stdout: stdout.join().expect("the reader of stdout"),
        stderr: stderr.join().expect("the reader of stderr"),
    }
}

fn read_to_end(mut output: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).expect("the output");
        bytes
    })
}

/// A running service. Dropping it kills it, and prints its output when the test is failing.
#[derive(Debug)]
pub struct ServiceProcess {
    child: Child,
    exit_status: Option<ExitStatus>,
    base_url: String,
    logs: Logs,
    readers: Vec<JoinHandle<()>>,
    _own_folder: Option<TempDir>,
}

impl ServiceProcess {
    /// Starts the service in an empty folder of its own, with nothing but `env` in its environment,
    /// and a free port unless `env` has `LISTEN`. Returns when it listens.
    ///
    /// # Panics
    ///
    /// With the output, when it ends instead, or does not listen within [`START_SECONDS_MAX`].
    pub fn start(service: Service, env: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut process = Self::start_in(folder.path(), service, env);
        process._own_folder = Some(folder);
        process
    }

    /// The same in a folder that the caller keeps.
    pub fn start_in(folder: &Path, service: Service, env: &[(&str, &str)]) -> Self {
        let mut command = service.command();
        command
            .env("LISTEN", "127.0.0.1:0")
            .envs(env.iter().copied())
            .current_dir(folder);
        Self::spawn(command)
    }

    /// The same with a command that the caller has made, which may have arguments.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));

        let logs = Logs::default();
        let (listening, base_url) = mpsc::channel();
        let stdout = child.stdout.take().expect("a piped stdout");
        let stderr = child.stderr.take().expect("a piped stderr");
        let readers = vec![
            keep_reading(stdout, logs.clone(), Some(listening)),
            keep_reading(stderr, logs.clone(), None),
        ];
        let mut process = ServiceProcess {
            child,
            exit_status: None,
            base_url: String::new(),
            logs,
            readers,
            _own_folder: None,
        };

        match base_url.recv_timeout(Duration::from_secs(START_SECONDS_MAX)) {
            Ok(base_url) => process.base_url = base_url,
            // Dropping the process prints its output.
            Err(RecvTimeoutError::Timeout) => {
                panic!("{command:?} does not listen after {START_SECONDS_MAX} s")
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = process.wait();
                panic!("{command:?} has ended before it listened: {status}")
            }
        }
        process
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// A client of this process.
    pub fn client(&self) -> Client {
        Client::new(&self.base_url)
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the process has written to stdout and stderr so far, line by line. Complete after the
    /// process has ended.
    pub fn logs(&self) -> String {
        self.logs.text()
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    ///
    /// When the process has not ended within [`STOP_SECONDS_MAX`].
    pub fn terminate(&mut self) -> ExitStatus {
        self.send(Signal::TERM);
        self.wait()
    }

    /// Sends SIGINT, as Ctrl-C does, and waits for the end.
    ///
    /// # Panics
    ///
    /// When the process has not ended within [`STOP_SECONDS_MAX`].
    pub fn interrupt(&mut self) -> ExitStatus {
        self.send(Signal::INT);
        self.wait()
    }

    /// Sends SIGTERM without waiting, for a test of what happens meanwhile. See [`Self::wait`].
    pub fn begin_to_terminate(&mut self) {
        self.send(Signal::TERM);
    }

    /// Sends SIGHUP, as the end of a terminal does, and waits for the end.
    ///
    /// # Panics
    ///
    /// When the process has not ended within [`STOP_SECONDS_MAX`].
    pub fn hang_up(&mut self) -> ExitStatus {
        self.send(Signal::HUP);
        self.wait()
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill_9(&mut self) -> ExitStatus {
        self.send(Signal::KILL);
        self.wait()
    }

    /// Sends SIGSTOP: the process keeps its sockets and does nothing until [`Self::resume`].
    pub fn pause(&mut self) {
        self.send(Signal::STOP);
    }

    /// Sends SIGCONT.
    pub fn resume(&mut self) {
        self.send(Signal::CONT);
    }

    /// Waits for the end.
    ///
    /// # Panics
    ///
    /// When the process has not ended within [`STOP_SECONDS_MAX`].
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(STOP_SECONDS_MAX);
        loop {
            if let Some(status) = self.exit_status_now() {
                for reader in self.readers.drain(..) {
                    reader.join().expect("a reader of the process's output");
                }
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "process {} has not ended within {STOP_SECONDS_MAX} s",
                self.id()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// How the process ended, or `None` while it runs.
    pub fn exit_status_now(&mut self) -> Option<ExitStatus> {
        if self.exit_status.is_none() {
            self.exit_status = self.child.try_wait().expect("the state of the process");
        }
        self.exit_status
    }

    fn send(&mut self, signal: Signal) {
        // Not after it has been waited for: its id may be another process's by then.
        if self.exit_status_now().is_none() {
            kill_process(Pid::from_child(&self.child), signal).expect("a signal to the process");
        }
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        if self.exit_status.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        if thread::panicking() {
            eprintln!("--- output of process {}\n{}---", self.id(), self.logs());
        }
    }
}

/// Reads lines until the end, so that the process never waits for a full pipe. The first address found
/// goes to `listening`.
fn keep_reading(
    output: impl Read + Send + 'static,
    logs: Logs,
    mut listening: Option<Sender<String>>,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while matches!(output.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line);
            // First, so that what the process says after its address comes after it.
            logs.push(&text);
            if let Some(base_url) = base_url_in(&text)
                && let Some(listening) = listening.take()
            {
                let _ = listening.send(base_url);
            }
            line.clear();
        }
    })
}

/// The address in the line, if its port is not 0: with its scheme, and on this machine.
fn base_url_in(line: &str) -> Option<String> {
    let starts = ["http://127.0.0.1:", "https://127.0.0.1:", "http://0.0.0.0:"];
    let (start, rest) = starts
        .iter()
        .find_map(|start| Some((start, line.split_once(start)?.1)))?;
    let digits_end = rest
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(rest.len());
    let port: u16 = rest[..digits_end].parse().ok()?;
    let start = start.replace("0.0.0.0", "127.0.0.1");
    (port != 0).then(|| format!("{start}{port}"))
}

#[derive(Clone, Debug, Default)]
struct Logs(Arc<Mutex<String>>);

impl Logs {
    fn push(&self, line: &str) {
        let mut text = self.0.lock().unwrap();
        let _ = writeln!(text, "{}", line.trim_end_matches('\n'));
        if text.len() > LOG_BYTES_MAX {
            let half = text.ceil_char_boundary(text.len() / 2);
            text.drain(..half);
        }
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script);
        command
    }

    #[test]
    fn the_address_is_found_in_any_line_and_port_0_is_none() {
        for (line, expected) in [
            (
                "listening on http://127.0.0.1:8080",
                Some("http://127.0.0.1:8080"),
            ),
            (
                r#"{"url":"http://127.0.0.1:65535/docs"}"#,
                Some("http://127.0.0.1:65535"),
            ),
            ("https://127.0.0.1:1", Some("https://127.0.0.1:1")),
            ("http://0.0.0.0:1", Some("http://127.0.0.1:1")),
            ("http://127.0.0.1:0", None),
            ("http://127.0.0.1:", None),
            ("http://127.0.0.1:70000", None),
            ("http://localhost:8080", None),
        ] {
            assert_eq!(base_url_in(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_process_that_listens_is_started_and_terminated() {
        let mut process = ServiceProcess::spawn(shell(
            "trap 'echo bye >&2; exit 3' TERM; echo on http://127.0.0.1:4321; while :; do sleep 0.01; done",
        ));
        assert_eq!(process.base_url(), "http://127.0.0.1:4321");
        assert_eq!(process.exit_status_now(), None);
        assert_eq!(process.terminate().code(), Some(3));
        assert_eq!(process.logs(), "on http://127.0.0.1:4321\nbye\n");
    }

    #[test]
    fn a_command_is_run_to_its_end() {
        let output = run_to_end(&mut shell("echo out; echo err >&2; exit 7"));
        assert_eq!(output.status.code(), Some(7));
        assert_eq!(
            (output.stdout, output.stderr),
            (b"out\n".into(), b"err\n".into())
        );
    }

    #[test]
    fn a_killed_process_ends_by_signal_9_even_when_paused() {
        let mut process =
            ServiceProcess::spawn(shell("echo http://127.0.0.1:4321; exec sleep 600"));
        process.pause();
        assert_eq!(process.kill_9().signal(), Some(9));
        assert_eq!(process.kill_9().signal(), Some(9));
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let process = ServiceProcess::spawn(shell("echo http://127.0.0.1:4321; exec sleep 600"));
        let pid = Pid::from_child(&process.child);
        drop(process);
        assert!(kill_process(pid, Signal::CONT).is_err());
    }

    #[test]
    #[should_panic(expected = "has ended before it listened: exit status: 64")]
    fn a_process_that_ends_at_once_is_reported() {
        ServiceProcess::spawn(shell("echo LISTEN is wrong >&2; exit 64"));
    }
}
