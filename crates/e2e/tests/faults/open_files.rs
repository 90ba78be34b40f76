//! Fewer file descriptors than clients open connections: enough are left for the service itself.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use testkit::http::{Client, user_path};
use testkit::parts::{Installation, Parts};
use testkit::service::{Service, ServiceProcess, run_to_end};
use testkit::wait::wait_until;

use crate::comparison::flush;
use crate::writers::record;

const OPEN_FILES_MAX: usize = 256;
const IDLE: usize = 450;
/// More than the service takes. The system queues some more.
const IDLE_MIN: usize = 200;
/// Long enough for the system to retry connections that met a full queue.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

fn limited(installation: &Installation, open_files: usize) -> Command {
    let service = installation.command();
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "ulimit -n \"$1\" && exec \"$0\""])
        .arg(service.get_program())
        .arg(open_files.to_string())
        .env_clear()
        .env("LISTEN", "127.0.0.1:0")
        .envs(installation.settings())
        .current_dir(installation.folder());
    command
}

/// As many idle connections as the system takes.
fn idle_connections(process: &ServiceProcess) -> Vec<TcpStream> {
    let address = process.base_url().trim_start_matches("http://");
    let address: SocketAddr = address.parse().expect("an address");
    let connect = || TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).ok();
    let idle: Vec<TcpStream> = (0..IDLE).map_while(|_| connect()).collect();
    assert!(idle.len() >= IDLE_MIN, "{}", idle.len());
    idle
}

fn put(client: &Client, number: u64) {
    let name = number.to_string();
    let answer = client.put_json(&user_path(&name), &record(&name, number));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn writes_go_on_beside_idle_connections(parts: Parts, service: Service) {
    let mut installation = parts.install(service);
    if parts == Parts::Embedded && service == Service::WriteBehind {
        installation.set("JOURNAL_SEGMENT_BYTES", "1000");
    }
    let mut process = ServiceProcess::spawn(limited(&installation, OPEN_FILES_MAX));
    let client = process.client();
    let mut written = 0;
    put(&client, written);
    let _idle = thread::scope(|scope| {
        let opening = scope.spawn(|| idle_connections(&process));
        while !opening.is_finished() {
            written += 1;
            put(&client, written);
        }
        opening.join().expect("connections")
    });
    // A further client waits until an idle connection is closed.
    written += 1;
    put(&process.client(), written);
    wait_until("it is ready", || client.get("/readyz").status == 200);
    if service == Service::WriteBehind {
        flush(process.base_url());
    }
    assert!(
        process.logs().contains("open_files=256"),
        "{}",
        process.logs()
    );
    process.kill_9();
    let process = installation.start(service);
    for number in 0..=written {
        let name = number.to_string();
        let read = process.client().get(&user_path(&name));
        assert_eq!(read.json(), record(&name, number));
    }
}

/// Both services wait at the same time.
fn both_services_write(parts: Parts) {
    thread::scope(|scope| {
        for service in Service::all() {
            scope.spawn(move || writes_go_on_beside_idle_connections(parts, service));
        }
    });
}

#[test]
fn writes_go_on_with_too_few_open_files_on_embedded_parts() {
    both_services_write(Parts::Embedded);
}

#[test]
#[ignore = "needs servers"]
fn writes_go_on_beside_more_connections_than_open_files() {
    both_services_write(Parts::RedisMariaDb);
}

#[test]
fn a_limit_too_small_for_the_services_own_files_is_refused() {
    for service in Service::all() {
        let installation = Parts::Embedded.install(service);
        let output = run_to_end(&mut limited(&installation, 64));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert!(said.contains("ulimit -n"), "{said}");
    }
}
