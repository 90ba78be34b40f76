//! The clients of `examples/clients`, all at once on one user.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use testkit::parts::Parts;
use testkit::service::{Service, run_to_end_within};

/// Compiling a client takes a while on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(180);
const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\
                         Connection: close\r\n\r\n";
/// How often each client counts the user's age up.
const INCREMENTS: usize = 5;

/// A server before the service, which answers the first request by itself, with `503`.
fn refusing_once(service: &str) -> (String, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = service.trim_start_matches("http://").to_owned();
    let has_refused = Arc::new(AtomicBool::new(false));
    let refused = has_refused.clone();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            if !refused.swap(true, Ordering::SeqCst) {
                let _ = client.read(&mut [0; 4096]);
                let _ = client.write_all(REFUSAL);
                continue;
            }
            let server = TcpStream::connect(&service).unwrap();
            let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || relay(client, server));
            thread::spawn(move || relay(back.0, back.1));
        }
    });
    (url, has_refused)
}

fn relay(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}

fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    Path::new(&package).join("../..").canonicalize().unwrap()
}

/// The clients by the names of the users that they write, and how each is run.
fn clients(built: &Path) -> Vec<(&'static str, Command)> {
    let folder = root().join("examples/clients");
    let mut shell = Command::new("sh");
    shell.arg(folder.join("client.sh"));
    let mut python = Command::new("python3");
    python.arg(folder.join("client.py"));
    let mut go = Command::new("go");
    go.arg("run").arg(folder.join("client.go"));
    go.env("GOCACHE", root().join("target/tools/go"))
        .env("GO111MODULE", "off");
    // Older ones of Node do not read types: esbuild takes them away.
    let script = built.join("client.mjs");
    let own = root().join("target/tools/clients/node_modules/.bin/esbuild");
    let mut esbuild = match own.is_file() {
        true => Command::new(own),
        false => Command::new("esbuild"),
    };
    esbuild
        .arg(folder.join("client.ts"))
        .arg(format!("--outfile={}", script.display()));
    let made = run_to_end_within(&mut esbuild, TIME_MAX);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let mut node = Command::new("node");
    node.arg(script);
    let test = std::env::current_exe().unwrap();
    let rust = test.ancestors().nth(2).unwrap().join("examples/client");
    assert!(rust.is_file(), "run scripts/test, which builds the example");
    vec![
        ("Shell", shell),
        ("Python", python),
        ("Go", go),
        ("TypeScript", node),
        ("Rust", Command::new(rust)),
    ]
}

#[test]
fn with_other_languages_clients_lose_no_increment_and_repeat_a_503() {
    let running = Parts::Embedded.start(Service::WriteBehind);
    let client = running.client();
    let counter = json!({"age": 0, "occupation": "Counter"});
    assert_eq!(client.put_json("/users/Counter", &counter).status, 200);
    let built = tempfile::TempDir::new().unwrap();
    let clients = clients(built.path());
    let names: Vec<&str> = clients.iter().map(|(name, _)| *name).collect();
    let run = |(name, mut command): (&'static str, Command)| {
        let (url, has_refused) = refusing_once(running.base_url());
        command.arg(url);
        thread::spawn(move || {
            let Output {
                status,
                stdout,
                stderr,
            } = run_to_end_within(&mut command, TIME_MAX);
            let said = String::from_utf8_lossy(&stderr);
            assert!(status.success(), "{name}: {said}");
            let out = String::from_utf8(stdout).unwrap();
            assert!(
                out.contains("\"status\":200") && out.contains("\"status\":204"),
                "{name}: {out}"
            );
            assert!(has_refused.load(Ordering::SeqCst), "{name}");
        })
    };
    let threads: Vec<_> = clients.into_iter().map(run).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let age = client.get("/users/Counter").json()["age"].clone();
    assert_eq!(age, json!(INCREMENTS * names.len()));
    for name in names {
        assert_eq!(client.get(&format!("/users/{name}")).status, 404, "{name}");
        let batched = client.get(&format!("/users/{name}%201")).json();
        assert_eq!(batched["occupation"], "Batch", "{name}");
    }
}
