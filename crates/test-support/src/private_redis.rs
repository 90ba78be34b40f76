//! A Redis server of a test's own, to kill, fill, pause and set up in other ways.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long the server may take to answer.
const READY_WITHIN: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Another process may take a free port first.
const PORT_ATTEMPTS_MAX: u32 = 20;

/// A server with its data in a temporary folder; it ends with this value. What it has answered is in its
/// append-only file, which `kill -9` does not take from it.
#[derive(Debug)]
pub struct PrivateRedis {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    process: Option<Child>,
}

impl PrivateRedis {
    /// Starts one.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more options, as on its command line.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_with(options: &[&str]) -> Self {
        let mut server = PrivateRedis {
            folder: TempDir::new().expect("a temporary folder"),
            port: 0,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            process: None,
        };
        for _ in 0..PORT_ATTEMPTS_MAX {
            server.port = free_port();
            if server.run() {
                return server;
            }
        }
        panic!("redis-server did not start: {}", server.log());
    }

    /// `redis://host:port`, the same after each start.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port of 127.0.0.1 that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it by SIGKILL. Its data remain.
    pub fn kill_9(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a signal to the server");
            process.wait().expect("the server's end");
        }
    }

    /// Starts it again, on the same port and data.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "it still runs");
        // The port is not of the range that outgoing connections use, but another test may have it.
        let deadline = Instant::now() + READY_WITHIN;
        while !self.run() {
            assert!(
                Instant::now() < deadline,
                "redis-server did not start again: {}",
                self.log()
            );
        }
    }

    /// Ends it by SIGKILL and starts it again on the same data.
    pub fn crash_and_restart(&mut self) {
        self.kill_9();
        self.start_again();
    }

    /// Stops it without ending it: connections stay open and are not answered.
    pub fn pause(&self) {
        self.send(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.send(Signal::CONT);
    }

    /// A copy of its data as they are on disk now.
    pub fn copy_of_data(&self) -> TempDir {
        let copy = TempDir::new().expect("a temporary folder");
        copy_folder(self.folder.path(), copy.path());
        copy
    }

    /// Puts a copy in place of its data; an empty folder takes them all. It must have ended before.
    ///
    /// # Panics
    ///
    /// When it still runs.
    pub fn replace_data(&self, copy: &Path) {
        assert!(self.process.is_none(), "it still runs");
        for entry in fs::read_dir(self.folder.path()).expect("the server's folder") {
            let path = entry.expect("an entry of the server's folder").path();
            let removed = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            removed.expect("old data to remove");
        }
        copy_folder(copy, self.folder.path());
    }

    fn send(&self, signal: Signal) {
        let process = self.process.as_ref().expect("a server that runs");
        kill_process(Pid::from_child(process), signal).expect("a signal to the server");
    }

    /// Whether it answers; it may have found its port in use.
    fn run(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--daemonize", "no", "--save", ""])
            // Everything is written before it is answered. With everysec, writing waits for up to two
            // seconds while the disk is busy with the second before.
            .args(["--appendonly", "yes", "--appendfsync", "no"])
            .args(["--maxmemory-policy", "noeviction", "--logfile", "log"])
            .args(["--port", &self.port.to_string(), "--dir"])
            .arg(self.folder.path())
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut process = command.spawn().expect("redis-server on PATH");
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            if process.try_wait().expect("the server's state").is_some() {
                return false;
            }
            if answers(self.port, process.id()) {
                self.process = Some(process);
                return true;
            }
            thread::sleep(LOOK_AGAIN);
        }
        let _ = process.kill();
        let _ = process.wait();
        panic!("redis-server is not ready: {}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Whether this very process answers and has read its data.
fn answers(port: u16, pid: u32) -> bool {
    let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut connection| {
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        connection.write_all(b"PING\r\nINFO server\r\nQUIT\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    });
    asked.is_ok_and(|answer| {
        answer.starts_with("+PONG\r\n") && answer.contains(&format!("\nprocess_id:{pid}\r\n"))
    })
}

/// A port that nothing listens on, below the range that outgoing connections use.
fn free_port() -> u16 {
    // The random number that the standard library has.
    let random = || {
        use std::hash::{BuildHasher, Hasher, RandomState};
        RandomState::new().build_hasher().finish()
    };
    let ports = std::iter::repeat_with(|| 20_000 + (random() % 12_000) as u16);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports
        .take(1_000)
        .find(is_free)
        .expect("a port that is free")
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder to copy") {
        let entry = entry.expect("an entry of it");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).expect("a folder");
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}
