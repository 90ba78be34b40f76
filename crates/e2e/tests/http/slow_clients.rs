//! Clients that do not read their answers, or send their requests slowly or without end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use procfs::process::Process;
use serde_json::json;
use testkit::http::user_path;
use testkit::service::{Service, ServiceProcess};
use testkit::wait::{WAIT_TIMEOUT, wait_until};

use crate::api::Api;

/// Users of one page, which then has about 2 MB.
const USERS: usize = 1_000;

/// Clients that ask for it and read nothing.
const CLIENTS: usize = 300;

/// Far below what all their pages take.
const RESIDENT_BYTES_MAX: u64 = 400 << 20;

/// Of requests that are answered without a body.
const PIPELINED_BYTES: usize = 64 << 20;

fn connect(process: &ServiceProcess) -> TcpStream {
    let stream = TcpStream::connect(process.base_url().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(WAIT_TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(WAIT_TIMEOUT)).unwrap();
    stream
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

fn fill(api: &Api) {
    let occupation = "\u{1f600}".repeat(255);
    let workers = 8;
    thread::scope(|scope| {
        for worker in 0..workers {
            let occupation = &occupation;
            scope.spawn(move || {
                for number in (worker..USERS).step_by(workers) {
                    let name = format!("{number}{}", "\u{1f600}".repeat(250));
                    let user = json!({ "name": name, "age": 1, "occupation": occupation });
                    api.must_write(&user);
                }
            });
        }
    });
    api.settle();
}

fn of_system(process: &ServiceProcess) -> Process {
    Process::new(process.id().cast_signed()).unwrap()
}

pub(crate) fn resident_bytes(process: &ServiceProcess) -> u64 {
    of_system(process).status().unwrap().vmrss.unwrap() * 1024
}

fn open_files(process: &ServiceProcess) -> usize {
    of_system(process).fd_count().unwrap()
}

#[test]
fn unread_pages_are_bounded_and_end() {
    at_once(|service| {
        let process = ServiceProcess::start(service, &[("KEEP_ALIVE_S", "5")]);
        let api = Api::at(service, process.base_url());
        fill(&api);
        let page = api.client().get("/users?limit=1000");
        assert!(page.body.len() > 1_500_000, "{}", page.body.len());
        let files_before = open_files(&process);
        let mut clients: Vec<TcpStream> = (0..CLIENTS)
            .map(|_| {
                let mut stream = connect(&process);
                stream.write_all(&get("/users?limit=1000")).unwrap();
                stream
            })
            .collect();
        for path in ["/metrics", "/healthz"] {
            // A busy service may answer `408` or close a connection that it kept open.
            wait_until("others are served", || {
                let answer = process.client().try_request("GET", path, &[], None);
                answer.is_ok_and(|answer| answer.status == 200)
            });
        }
        // Clients that were refused have their whole answer, and are idle.
        let mut resident_max = 0;
        wait_until("their connections have ended", || {
            resident_max = resident_max.max(resident_bytes(&process));
            open_files(&process) < files_before + 20
        });
        assert!(resident_max < RESIDENT_BYTES_MAX, "{resident_max}");
        let mut answer = String::new();
        let refused = clients.iter_mut().any(|client| {
            let mut bytes = [0; 1024];
            let length = client.read(&mut bytes).unwrap_or(0);
            answer = String::from_utf8_lossy(&bytes[..length]).into_owned();
            answer.starts_with("HTTP/1.1 503 ")
        });
        assert!(refused && answer.contains("retry-after: "), "{answer}");
        wait_until("a page is served again", || {
            let answer = process
                .client()
                .try_request("GET", "/users?limit=1000", &[], None);
            answer.is_ok_and(|answer| answer.status == 200)
        });
    });
}

#[test]
fn pipelined_requests_wait_for_a_client_that_reads_nothing() {
    at_once(|service| {
        let process = ServiceProcess::start(service, &[]);
        let request = b"DELETE /cache/users/a HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut client = connect(&process);
        let many = request.repeat(1_000);
        let taken = (0..PIPELINED_BYTES / many.len()).all(|_| client.write_all(&many).is_ok());
        assert!(!taken, "{} read everything", service.name());
        assert_eq!(process.client().get("/healthz").status, 200);
    });
}

/// Sends `bytes` again and again until the service has closed the connection.
fn send_until_closed(what: &str, mut stream: TcpStream, bytes: &[u8], pause: Duration) {
    wait_until(what, || {
        thread::sleep(pause);
        stream.write_all(bytes).is_err()
    });
}

/// Both services wait at the same time.
pub(crate) fn at_once(check: impl Fn(Service) + Sync) {
    let check = &check;
    thread::scope(|scope| {
        for service in Service::all() {
            scope.spawn(move || check(service));
        }
    });
}

#[test]
fn a_head_that_trickles_ends_its_connection() {
    at_once(|service| {
        let process = ServiceProcess::start(service, &[]);
        let mut stream = connect(&process);
        stream.write_all(&get("/healthz")).unwrap();
        let mut bytes = [0; 4096];
        assert!(stream.read(&mut bytes).unwrap() > 0);
        // The second on its connection.
        stream.write_all(b"GET /healthz HTTP/1.1\r\nX: ").unwrap();
        let pause = Duration::from_millis(200);
        send_until_closed("the connection is closed", stream, b"x", pause);
    });
}

#[test]
fn a_body_that_trickles_ends_its_connection() {
    at_once(|service| {
        let process = ServiceProcess::start(service, &[]);
        let mut stream = connect(&process);
        let path = service.write_path();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: 10000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answers = stream.try_clone().unwrap();
        let pause = Duration::from_millis(200);
        send_until_closed("the connection is closed", stream, b" ", pause);
        let mut answer = [0; 1024];
        if let Ok(length @ 1..) = answers.read(&mut answer) {
            assert!(answer[..length].starts_with(b"HTTP/1.1 408 "));
        }
    });
}

#[test]
fn a_body_without_end_ends_its_connection() {
    at_once(|service| {
        let process = ServiceProcess::start(service, &[]);
        let user = user_path("a");
        let write = service.write_path();
        let json = "Content-Type: application/json\r\n";
        let calls = [
            ("POST", "/nowhere", ""),
            ("POST", "/healthz", ""),
            ("POST", write, ""),
            ("POST", write, json),
            ("GET", "/healthz", ""),
            ("DELETE", user.as_str(), ""),
        ];
        thread::scope(|scope| {
            for (method, path, field) in calls {
                let mut stream = connect(&process);
                let head = format!(
                    "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{field}\
                     Transfer-Encoding: chunked\r\n\r\n"
                );
                scope.spawn(move || {
                    stream.write_all(head.as_bytes()).unwrap();
                    let chunk = b"5\r\nhello\r\n".repeat(10);
                    let what = format!("{method} {path} is over");
                    send_until_closed(&what, stream, &chunk, Duration::from_millis(10));
                });
            }
        });
    });
}

/// A load balancer sends the next request over a connection that was idle for longer than this.
const IDLE: Duration = Duration::from_secs(7);

#[test]
fn idle_connections_are_kept() {
    at_once(|service| {
        let process = ServiceProcess::start(service, &[]);
        let mut unused = connect(&process);
        let mut used = connect(&process);
        for wait in [Duration::ZERO, IDLE] {
            thread::sleep(wait);
            used.write_all(&get("/healthz")).unwrap();
            let mut answer = [0; 4096];
            let length = used.read(&mut answer).unwrap();
            assert!(
                answer[..length].starts_with(b"HTTP/1.1 200 "),
                "{}",
                service.name()
            );
        }
        unused.write_all(&get("/healthz")).unwrap();
        let mut answer = [0; 4096];
        let length = unused.read(&mut answer).unwrap();
        assert!(
            answer[..length].starts_with(b"HTTP/1.1 200 "),
            "{}",
            service.name()
        );
    });
}

/// Nothing was asked, so nothing is answered: a client would take it for the answer to its next request.
#[test]
fn an_idle_connection_ends_without_a_word() {
    at_once(|service| {
        let process = ServiceProcess::start(service, &[("KEEP_ALIVE_S", "1")]);
        let mut unused = connect(&process);
        let mut used = connect(&process);
        used.write_all(&get("/healthz")).unwrap();
        let mut answer = [0; 4096];
        assert!(used.read(&mut answer).unwrap() > 0);
        for connection in [&mut unused, &mut used] {
            assert_eq!(
                connection.read(&mut answer).unwrap(),
                0,
                "{}",
                service.name()
            );
        }
    });
}
