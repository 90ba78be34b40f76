//! The log: texts that come from outside, and readers that do not read.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::http::Client;
use testkit::service::{STOP_SECONDS_MAX, Service, run_to_end};
use testkit::wait::{WAIT_TIMEOUT, wait_until};

/// More lines than a pipe holds, by far.
const REQUESTS: usize = 3_000;
/// They share what the disk takes to sync.
const CLIENTS: usize = 8;

/// A server that refuses every connection to MySQL with this text.
fn refusing_database(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // An error packet: its length, its number, 0xff, the error's code, and the text.
            let mut packet = vec![0, 0, 0, 0, 0xff, 0x6a, 0x04];
            packet.extend_from_slice(text.as_bytes());
            packet[0] = u8::try_from(packet.len() - 4).unwrap();
            let mut stream = stream.unwrap();
            let _ = stream.write_all(&packet);
            let _ = stream.read(&mut [0; 64]);
        }
    });
    format!("mysql://me@127.0.0.1:{port}/users")
}

#[test]
fn control_characters_are_escaped_in_the_log() {
    let text = "no\nFORGED line\r\u{1b}[31m\u{85}\u{2028}\u{202e}\u{7f}end";
    let url = refusing_database(text);
    for service in Service::all() {
        for format in ["text", "json"] {
            let folder = TempDir::new().unwrap();
            let mut command = service.command();
            command
                .env("DATABASE_URL", &url)
                .env("STARTUP_DEADLINE_S", "1")
                .env("LOG_FORMAT", format)
                .current_dir(&folder);
            let said = String::from_utf8(run_to_end(&mut command).stderr).unwrap();
            assert!(said.contains("FORGED"), "{said}");
            for line in said.split('\n') {
                let forged = line.starts_with("FORGED");
                let raw = |c: char| c.is_control() || "\u{2028}\u{202e}".contains(c);
                assert!(!forged && !line.contains(raw), "{line:?}");
                if format == "json" && !line.is_empty() {
                    serde_json::from_str::<Value>(line).expect(line);
                }
            }
        }
    }
}

/// A service whose standard error is not read.
struct Unread {
    child: Child,
    client: Client,
    _folder: TempDir,
}

impl Unread {
    fn start(service: Service, format: &str) -> Unread {
        let folder = TempDir::new().unwrap();
        let mut child = service
            .command()
            .env("LISTEN", "127.0.0.1:0")
            .env("LOG", "trace")
            .env("LOG_FORMAT", format)
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, receiver) = mpsc::channel();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        thread::spawn(move || {
            let url = lines.find_map(|line| Some(line.ok()?.split_once("http://")?.1.to_owned()));
            let _ = sender.send(url.unwrap());
            lines.for_each(drop);
        });
        let address = receiver.recv_timeout(WAIT_TIMEOUT).unwrap();
        let wait_timeout = Duration::from_secs(30);
        Unread {
            child,
            client: Client::with_timeout(&format!("http://{}", address.trim()), wait_timeout),
            _folder: folder,
        }
    }

    fn send_requests(&self, service: Service) {
        let record = json!({ "name": "a", "age": 1, "occupation": "b" });
        let path = service.write_path();
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    for _ in 0..REQUESTS / CLIENTS {
                        assert_eq!(self.client.post_json(path, &record).status, 200);
                    }
                });
            }
        });
    }

    fn dropped_lines(&self) -> f64 {
        let metrics = self.client.get("/metrics").text().to_owned();
        let mut values = metrics.lines().filter_map(|line| {
            line.strip_prefix("write_cache_log_lines_dropped_total{")?
                .rsplit(' ')
                .next()
        });
        values.next().expect("the metric").parse().unwrap()
    }

    /// The exit code after SIGTERM.
    fn stop(&mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(STOP_SECONDS_MAX);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(std::time::Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_unread_log_stops_neither_requests_nor_the_end() {
    for service in Service::all() {
        let mut unread = Unread::start(service, "text");
        unread.send_requests(service);
        assert!(unread.dropped_lines() > 0.0);
        assert_eq!(unread.stop(), Some(0));
    }
}

#[test]
fn a_log_that_is_read_again_says_what_was_dropped() {
    for (service, format) in [
        (Service::WriteThrough, "text"),
        (Service::WriteBehind, "json"),
    ] {
        let mut unread = Unread::start(service, format);
        unread.send_requests(service);
        let (sender, receiver) = mpsc::channel();
        let log = BufReader::new(unread.child.stderr.take().unwrap());
        let reader = thread::spawn(move || {
            let mut last = String::new();
            for line in log.lines().map_while(Result::ok) {
                if line.contains("log lines were dropped") {
                    let _ = sender.send(line.clone());
                }
                last = line;
            }
            last
        });
        let said = receiver.recv_timeout(WAIT_TIMEOUT).expect("the line");
        assert!(said.contains("WARN"), "{said}");
        if format == "json" {
            let said: Value = serde_json::from_str(&said).unwrap();
            assert!(said["fields"]["lines"].as_u64().unwrap() > 0, "{said}");
        }
        let mut before = unread.dropped_lines();
        wait_until("nothing is dropped any more", || {
            let now = unread.dropped_lines();
            std::mem::replace(&mut before, now) == now
        });
        assert_eq!(unread.stop(), Some(0));
        // What was logged last comes out before the end.
        let last = reader.join().unwrap();
        assert!(!last.is_empty());
    }
}

#[test]
fn a_closed_log_stops_nothing() {
    for service in Service::all() {
        let mut unread = Unread::start(service, "text");
        drop(unread.child.stderr.take());
        unread.send_requests(service);
        assert_eq!(unread.stop(), Some(0));
    }
}
