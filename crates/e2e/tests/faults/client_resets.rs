//! Clients that reset their connections in the middle of a request: no other client notices.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use testkit::http::Client;
use testkit::parts::Parts;
use testkit::proxy::ChaosProxy;
use testkit::service::Service;
use testkit::wait::wait_until;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Of each service on each set of parts.
const RESETS: usize = 2_000;
const AT_ONCE: usize = 12;
/// The longest time after which a request is reset.
const DELAY_MAX: Duration = Duration::from_millis(4);

const NAME: &str = "kept";

/// Enough users that a page takes about as long as a client stays. A server takes longer.
fn users(parts: Parts) -> usize {
    match parts {
        Parts::Embedded => 400,
        Parts::RedisMariaDb => 50,
    }
}

/// Requests whose handler waits for the database itself.
fn request(number: usize) -> String {
    let (target, header) = match number % 4 {
        0 | 1 => ("/users?limit=1000".to_owned(), ""),
        2 => ("/readyz".to_owned(), ""),
        _ => (format!("/users/{NAME}"), "Cache-Control: no-cache\r\n"),
    };
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n")
}

async fn reset(address: &str, number: usize) {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return;
    };
    let _ = stream.write_all(request(number).as_bytes()).await;
    tokio::time::sleep(DELAY_MAX.mul_f64(fastrand::f64())).await;
    // The connection is reset rather than closed.
    let _ = stream.set_zero_linger();
}

async fn reset_many(address: String, count: usize) {
    let mut clients = JoinSet::new();
    for number in 0..count {
        if clients.len() == AT_ONCE {
            clients.join_next().await;
        }
        let address = address.clone();
        clients.spawn(async move { reset(&address, number).await });
    }
    clients.join_all().await;
}

/// Runs resets beside other clients, whose answers must be right.
fn resets_beside_others(client: &Client, address: &str) {
    let (over, runtime) = (AtomicBool::new(false), runtime());
    std::thread::scope(|scope| {
        for reader in 0..3 {
            let over = &over;
            scope.spawn(move || {
                let mut number = 0;
                while !over.load(Ordering::Acquire) {
                    number += 1;
                    let missing = format!("/users/missing%20{reader}%20{number}");
                    let kept = format!("/users/{NAME}");
                    for (path, status) in [
                        (kept.as_str(), 200),
                        (&missing, 404),
                        ("/users", 200),
                        ("/readyz", 200),
                    ] {
                        let answer = client.get(path);
                        // A slow machine may be overloaded.
                        let is_right = [status, 503].contains(&answer.status);
                        assert!(is_right, "{path}: {} {}", answer.status, answer.text());
                    }
                }
            });
        }
        let _over = SetOnDrop(&over);
        runtime.block_on(reset_many(address.to_owned(), RESETS));
    });
}

/// Ends the other clients, even if the resets panic.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

fn address(base_url: &str) -> String {
    base_url.trim_start_matches("http://").to_owned()
}

fn keep(client: &Client, service: Service, name: &str) {
    let user = json!({"name": name, "age": 30, "occupation": "x".repeat(255)});
    assert_eq!(client.post_json(service.write_path(), &user).status, 200);
}

fn keep_many(client: &Client, service: Service, users: usize) {
    std::thread::scope(|scope| {
        for part in 0..8 {
            scope.spawn(move || {
                for number in (part..users).step_by(8) {
                    keep(client, service, &format!("user {number}"));
                }
            });
        }
    });
    keep(client, service, NAME);
}

fn resets_disturb_no_other_client_on(parts: Parts) {
    for service in Service::all() {
        let mut running = parts.start(service);
        let client = running.client();
        keep_many(&client, service, users(parts));
        resets_beside_others(&client, &address(running.base_url()));
        wait_until("the service answers", || {
            client.get(&format!("/users/{NAME}")).status == 200
        });
        assert!(running.terminate().success());
        let logs = running.logs();
        assert!(!logs.contains("panicked"), "{parts:?} {service:?}: {logs}");
    }
}

#[test]
#[ignore = "needs servers"]
fn resets_disturb_no_other_client_on_embedded_parts() {
    resets_disturb_no_other_client_on(Parts::Embedded);
}

#[test]
#[ignore = "needs servers"]
fn resets_disturb_no_other_client() {
    resets_disturb_no_other_client_on(Parts::RedisMariaDb);
}

/// Requests that wait for the database at the same time, of clients that go away.
const WAITING: usize = 400;
/// Long enough for a request to begin to wait.
const STAY: Duration = Duration::from_millis(500);
/// Of these: as many as the pool has connections, some of them again, and what the service asks
/// for itself.
const STATEMENTS_MAX: u64 = 60;

fn reads(client: &Client) -> u64 {
    let metrics = client.get("/metrics");
    let mut lines = metrics.text().lines();
    let is_reads = |line: &&str| {
        line.starts_with("write_cache_store_statements_total{") && line.contains("kind=\"read\"")
    };
    let line = lines.find(is_reads).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
#[ignore = "needs servers"]
fn reads_that_wait_end_with_their_clients() {
    for service in Service::all() {
        let mut installation = Parts::RedisMariaDb.install(service);
        let url = installation.setting("DATABASE_URL").unwrap().to_owned();
        // What is encrypted is held back as well.
        let proxy = ChaosProxy::before(&url);
        installation.set("DATABASE_URL", &proxy.url(&url));
        let running = installation.run();
        let client = running.client();
        keep(&client, service, NAME);
        if service == Service::WriteBehind {
            assert_eq!(client.post_json("/flush", &json!({})).status, 200);
        }
        let before = reads(&client);
        proxy.hold();
        let address = address(running.base_url());
        runtime().block_on(async {
            let mut waiting = Vec::new();
            for number in 0..WAITING {
                let mut stream = TcpStream::connect(&address).await.unwrap();
                let request =
                    format!("GET /users/gone%20{number} HTTP/1.1\r\nHost: localhost\r\n\r\n");
                stream.write_all(request.as_bytes()).await.unwrap();
                waiting.push(stream);
            }
            tokio::time::sleep(STAY).await;
            for stream in waiting {
                stream.set_zero_linger().unwrap();
            }
        });
        proxy.release();
        wait_until("the database is read again", || {
            client.get("/users/another").status == 404 && client.get("/readyz").status == 200
        });
        let sent = reads(&client) - before;
        assert!(sent <= STATEMENTS_MAX, "{service:?}: {sent} statements");
    }
}
