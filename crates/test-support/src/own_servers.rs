//! A Redis or a MariaDB server of a test's own, beside those of scripts/test, for being killed, paused and
//! started again on the same data and the same port.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, iter};

use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;

use crate::resp::RedisConnection;
use crate::servers::query;

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

    /// A MariaDB as scripts/servers.sh starts it.
    pub fn mariadb() -> Self {
        OwnServer::mariadb_with(&[])
    }

    /// The same with more options, as on its command line.
    pub fn mariadb_with(options: &[&str]) -> Self {
        let folder = own_folder();
        let port = free_port();
        copy_folder(template().0.path(), &folder.path().join("data"));
        fs::write(
            folder.path().join("init.sql"),
            "ALTER USER 'root'@'localhost' IDENTIFIED BY 'root';\n\
             CREATE OR REPLACE USER 'root'@'127.0.0.1' IDENTIFIED BY 'root';\n\
             GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n",
        )
        .expect("a file in the temporary folder");
        let mut command = mariadb_command("mariadbd");
        for (option, file) in [
            ("--datadir", "data"),
            ("--tmpdir", ""),
            ("--socket", "mariadb.sock"),
            ("--pid-file", "mariadb.pid"),
            ("--init-file", "init.sql"),
        ] {
            command.arg(with_path(option, &folder.path().join(file)));
        }
        command
            .arg(format!("--port={port}"))
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve"])
            .args([
                "--max-connections=1000",
                "--innodb-flush-log-at-trx-commit=1",
            ])
            .args(options);
        let url = format!("mysql://root:root@127.0.0.1:{port}");
        OwnServer::start(url, command, mariadb_is_ready, folder)
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

    /// `redis://127.0.0.1:PORT`, or `mysql://root:root@127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port of 127.0.0.1 that it listens on.
    pub fn port(&self) -> &str {
        self.url.rsplit(':').next().unwrap_or_default()
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
fn redis_is_ready(server: &OwnServer, child: &Child) -> bool {
    let info = RedisConnection::open(&server.url)
        .and_then(|mut redis| redis.command(&["INFO", "server"]))
        .ok()
        .and_then(|reply| reply.bytes())
        .unwrap_or_default();
    let loaded = RedisConnection::open(&server.url)
        .and_then(|mut redis| redis.command(&["DBSIZE"]))
        .is_ok();
    let own = format!("process_id:{}", child.id());
    let info = String::from_utf8_lossy(&info);
    loaded && info.lines().any(|line| line.trim_end() == own)
}

fn mariadb_is_ready(server: &OwnServer, _: &Child) -> bool {
    let own = server.folder.path().join("mariadb.pid");
    query(&server.url, "SELECT @@pid_file")
        .is_ok_and(|rows| rows.iter().flatten().any(|file| Path::new(file) == own))
}

/// The data of a MariaDB on which nothing has run yet.
struct Template(TempDir);

/// Made once for all servers that live at the same time, and copied for each.
fn template() -> Arc<Template> {
    static TEMPLATE: Mutex<Weak<Template>> = Mutex::new(Weak::new());
    let mut shared = TEMPLATE.lock().unwrap();
    if let Some(template) = shared.upgrade() {
        return template;
    }
    let folder = own_folder();
    let output = mariadb_command("mariadb-install-db")
        .arg(with_path("--datadir", folder.path()))
        .args(["--skip-test-db", "--auth-root-authentication-method=normal"])
        .output()
        .expect("mariadb-install-db");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "mariadb-install-db: {said}");
    let template = Arc::new(Template(folder));
    *shared = Arc::downgrade(&template);
    template
}

fn with_path(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(format!("{option}="));
    argument.push(path);
    argument
}

/// Short, because the path of a socket may have 107 bytes.
fn own_folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("own.").tempdir_in("/tmp");
    folder.expect("a temporary folder")
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry of a folder");
        let copy = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_folder(&entry.path(), &copy);
        } else {
            fs::copy(entry.path(), copy).expect("a copy of a file");
        }
    }
}

/// The binary, which is there when scripts/test has started servers itself.
fn server_command(program: &str, variable: &str) -> Command {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let found = folders
        .map(|folder| folder.join(program))
        .find(|binary| binary.is_file());
    let binary = found.unwrap_or_else(|| {
        panic!(
            "{program} is not installed: this test kills a server of its own, beside the one that \
             {variable} names; install it, or run scripts/test without {variable}, which does"
        )
    });
    Command::new(binary)
}

/// No option file is read, and little is allocated.
fn mariadb_command(program: &str) -> Command {
    let mut command = server_command(program, "TEST_MYSQL_URL");
    command.args([
        "--no-defaults",
        "--innodb-log-file-size=16M",
        "--innodb-buffer-pool-size=32M",
    ]);
    if getuid().is_root() {
        // It wants to be told so.
        command.arg("--user=root");
    }
    command
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
    use super::*;

    #[test]
    fn a_redis_has_its_data_after_a_kill() {
        let mut server = OwnServer::redis(AppendFsync::Always, "64mb");
        let ask = |server: &OwnServer, words: &[&str]| {
            RedisConnection::open(server.url()).and_then(|mut redis| redis.command(words))
        };
        ask(&server, &["SET", "a", "kept"]).unwrap();
        let url = server.url().to_owned();
        server.kill_9();
        assert!(ask(&server, &["GET", "a"]).is_err());
        server.restart();
        assert_eq!(server.url(), url);
        let kept = ask(&server, &["GET", "a"]).unwrap();
        assert_eq!(kept.bytes().unwrap(), b"kept");
        let settings = ask(&server, &["CONFIG", "GET", "maxmemory"]).unwrap();
        assert_eq!(settings.many()[1].clone().bytes().unwrap(), b"67108864");
        server.stop();
        assert!(ask(&server, &["GET", "a"]).is_err());
    }

    #[test]
    fn a_mariadb_has_its_data_after_a_kill_and_a_stop() {
        let mut server = OwnServer::mariadb();
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
