//! A Redis or a database server of a test's own, beside those of scripts/test and of the same kind, for
//! being killed, paused and started again on the same data and the same port.

#[cfg(test)]
mod chosen_tests;
mod database;
mod folders;
mod programs;
mod sentinels;

use std::fs::{self, File};
use std::iter;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::proxy::authority;
use crate::redis_connection::RedisConnection;
use folders::{copy_folder, own_folder};
use programs::server_command;

pub use sentinels::OwnSentinels;

/// How long a server may take until it answers.
pub const START_SECONDS_MAX: u64 = 60;

/// How long a server may take to end after SIGTERM.
pub const STOP_SECONDS_MAX: u64 = 60;

const PORT_ATTEMPTS_MAX: u32 = 20;
const LOG_BYTES_SHOWN_MAX: usize = 4000;

/// When Redis brings its append-only file to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendFsync {
    /// Before it answers.
    Always,
    /// About once a second, as Redis does when nothing is configured.
    EverySecond,
    /// When the operating system does. Everything is written before it is answered, so that a kill takes
    /// nothing; with [`AppendFsync::EverySecond`], writing waits while the disk is busy.
    BySystem,
}

/// A server of the test's own. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct OwnServer {
    url: String,
    command: Command,
    // None while it is stopped.
    child: Option<Child>,
    is_ready: fn(&OwnServer, &Child) -> bool,
    folder: TempDir,
}

impl OwnServer {
    /// A Redis that keeps everything in an append-only file and never evicts; `memory_max` is its
    /// `maxmemory`, such as `64mb` or `0` for no limit.
    pub fn redis(fsync: AppendFsync, memory_max: &str) -> Self {
        OwnServer::redis_with(fsync, &["--maxmemory", memory_max])
    }

    /// The same with any options, as on its command line.
    pub fn redis_with(fsync: AppendFsync, options: &[&str]) -> Self {
        let folder = own_folder();
        let port = free_port();
        let mut command = server_command("redis-server", "TEST_REDIS_URL");
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .arg("--dir")
            .arg(folder.path())
            .args(["--daemonize", "no", "--save", "", "--appendonly", "yes"])
            .arg("--appendfsync")
            .arg(match fsync {
                AppendFsync::Always => "always",
                AppendFsync::EverySecond => "everysec",
                AppendFsync::BySystem => "no",
            })
            .args(["--maxmemory-policy", "noeviction"])
            .args(options);
        let url = format!("redis://127.0.0.1:{port}");
        OwnServer::start(url, command, redis_is_ready, folder)
    }

    /// A Redis Sentinel that watches no server.
    pub fn sentinel() -> Self {
        OwnServer::sentinel_with("", "")
    }

    /// A Redis Sentinel with this configuration, and `:PASSWORD@` where it wants one.
    fn sentinel_with(configuration: &str, login: &str) -> Self {
        let folder = own_folder();
        let port = free_port();
        let file = folder.path().join("sentinel.conf");
        // It writes its own state into it.
        fs::write(&file, configuration).expect("a file in the temporary folder");
        let mut command = server_command("redis-server", "TEST_REDIS_URL");
        command
            .arg(&file)
            .args(["--sentinel", "--bind", "127.0.0.1"])
            .args(["--port", &port.to_string()])
            .arg("--dir")
            .arg(folder.path());
        let url = format!("redis://{login}127.0.0.1:{port}");
        OwnServer::start(url, command, sentinel_is_ready, folder)
    }

    fn start(
        url: String,
        mut command: Command,
        is_ready: fn(&OwnServer, &Child) -> bool,
        folder: TempDir,
    ) -> Self {
        let log = File::create(folder.path().join("log")).expect("a log file");
        let log_too = log.try_clone().expect("a second handle");
        command.stdin(Stdio::null()).stdout(log).stderr(log_too);
        let mut server = OwnServer {
            url,
            command,
            child: None,
            is_ready,
            folder,
        };
        server.restart();
        server
    }

    /// `redis://127.0.0.1:PORT`, or `mysql://root:root@127.0.0.1:PORT`, maybe with options behind a `?`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port of 127.0.0.1 that it listens on.
    pub fn port(&self) -> &str {
        authority(&self.url).rsplit(':').next().unwrap_or_default()
    }

    /// Ends it by SIGKILL and starts it again on the same data.
    pub fn crash_and_restart(&mut self) {
        self.kill_9();
        self.restart();
    }

    /// A copy of its data as they are on disk now.
    pub fn copy_of_data(&self) -> TempDir {
        let copy = own_folder();
        copy_folder(self.folder.path(), copy.path());
        copy
    }

    /// Puts a copy in place of its data; an empty folder takes them all.
    ///
    /// # Panics
    ///
    /// When it still runs.
    pub fn replace_data(&self, copy: &Path) {
        assert!(self.child.is_none(), "the server still runs");
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

    /// Starts it, on the same data and port, and returns when it answers.
    ///
    /// # Panics
    ///
    /// When it still runs, ends again, or does not answer within [`START_SECONDS_MAX`].
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "the server still runs");
        let child = self.command.spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        let deadline = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        while !(self.is_ready)(self, &child) {
            let ended = child.try_wait().expect("the state of the process");
            if ended.is_some() || Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{:?} does not answer: {}", self.command, self.log_end());
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.child = Some(child);
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill_9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a signal to the server");
            child.wait().expect("the end of the server");
        }
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    ///
    /// When it has not ended within [`STOP_SECONDS_MAX`].
    pub fn stop(&mut self) {
        self.send(Signal::TERM);
        let Some(child) = &mut self.child else { return };
        let deadline = Instant::now() + Duration::from_secs(STOP_SECONDS_MAX);
        while child
            .try_wait()
            .expect("the state of the process")
            .is_none()
        {
            assert!(Instant::now() < deadline, "the server does not stop");
            thread::sleep(Duration::from_millis(5));
        }
        self.child = None;
    }

    /// Sends SIGSTOP: it keeps its sockets and does nothing until [`Self::resume`].
    pub fn pause(&self) {
        self.send(Signal::STOP);
    }

    /// Sends SIGCONT.
    pub fn resume(&self) {
        self.send(Signal::CONT);
    }

    fn send(&self, signal: Signal) {
        if let Some(child) = &self.child {
            kill_process(Pid::from_child(child), signal).expect("a signal to the server");
        }
    }

    fn log_end(&self) -> String {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        let start = log.len().saturating_sub(LOG_BYTES_SHOWN_MAX);
        String::from_utf8_lossy(&log[start..]).into_owned()
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.kill_9();
    }
}

/// Asks for the process id, so that only the server started here counts.
fn sentinel_is_ready(server: &OwnServer, child: &Child) -> bool {
    let process_id =
        RedisConnection::open(&server.url).and_then(|mut redis| redis.info("server", "process_id"));
    process_id.is_ok_and(|id| id == Some(child.id()))
}

fn redis_is_ready(server: &OwnServer, child: &Child) -> bool {
    let loaded = RedisConnection::open(&server.url)
        .and_then(|mut redis| redis.command(&["DBSIZE"]))
        .is_ok();
    loaded && sentinel_is_ready(server, child)
}

/// A port that nothing listens on, below the range that outgoing connections use: it must be free again
/// after the server was killed.
pub fn free_port() -> u16 {
    iter::repeat_with(|| fastrand::u16(20_000..32_000))
        .take(PORT_ATTEMPTS_MAX as usize)
        .find(|port| {
            TcpStream::connect(("127.0.0.1", *port)).is_err()
                && TcpListener::bind(("127.0.0.1", *port)).is_ok()
        })
        .expect("a free port")
}

#[cfg(test)]
mod tests {
    use redis::{FromRedisValue, RedisResult};

    use super::*;
    use crate::servers::query;

    fn ask<T: FromRedisValue>(server: &OwnServer, words: &[&str]) -> RedisResult<T> {
        RedisConnection::open(server.url()).and_then(|mut redis| redis.ask(words))
    }

    #[test]
    #[ignore = "needs servers"]
    fn a_redis_has_its_data_after_a_kill() {
        let mut server = OwnServer::redis(AppendFsync::Always, "64mb");
        ask::<()>(&server, &["SET", "a", "kept"]).unwrap();
        let url = server.url().to_owned();
        server.kill_9();
        assert!(ask::<String>(&server, &["GET", "a"]).is_err());
        server.restart();
        assert_eq!(server.url(), url);
        assert_eq!(ask::<String>(&server, &["GET", "a"]).unwrap(), "kept");
        let setting: Vec<String> = ask(&server, &["CONFIG", "GET", "maxmemory"]).unwrap();
        assert_eq!(setting, ["maxmemory", "67108864"]);
        server.stop();
        assert!(ask::<String>(&server, &["GET", "a"]).is_err());
    }

    #[test]
    #[ignore = "needs servers"]
    fn a_database_has_its_data_after_a_kill_and_a_stop() {
        let mut server = OwnServer::database();
        query(server.url(), "CREATE DATABASE d").unwrap();
        query(server.url(), "CREATE TABLE d.t (a INT)").unwrap();
        for (number, end) in (1..).zip([OwnServer::kill_9, OwnServer::stop]) {
            query(server.url(), "INSERT INTO d.t VALUES (1)").unwrap();
            end(&mut server);
            assert!(query(server.url(), "SELECT 1").is_err());
            server.restart();
            let rows = query(server.url(), "SELECT * FROM d.t").unwrap();
            assert_eq!(rows.len(), number);
        }
    }

    #[test]
    #[ignore = "needs servers"]
    fn a_paused_server_answers_when_it_is_resumed() {
        let server = OwnServer::redis(AppendFsync::EverySecond, "0");
        server.pause();
        let url = server.url().to_owned();
        let asked = thread::spawn(move || {
            RedisConnection::open(&url).and_then(|mut redis| redis.command(&["PING"]))
        });
        thread::sleep(Duration::from_millis(100));
        assert!(!asked.is_finished());
        server.resume();
        asked.join().unwrap().unwrap();
    }
}
