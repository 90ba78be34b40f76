//! What the whole service allocates for a request, drain included. One client writes and reads, so each
//! batch has one request and bears all that a batch allocates. `scripts/bench` measures full batches.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

use std::io::Read as _;
use std::net::TcpStream;
use std::process::Command;

use serde_json::json;
use testkit::http::Client;
use testkit::parts::Parts;
use testkit::service::{Service, ServiceProcess};

const REQUESTS: u32 = 2_000;
/// Both bounds are well above what a request needs.
const OF_A_WRITE_MAX: f64 = 120.0;
const OF_A_READ_MAX: f64 = 20.0;

#[test]
fn a_request_allocates_little() {
    let installation = Parts::Embedded.install(Service::WriteBehind);
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench-counted-write-behind"));
    command
        .env_clear()
        .env("LISTEN", "127.0.0.1:0")
        .current_dir(installation.folder());
    let service = ServiceProcess::spawn(command);
    let client = service.client();
    let target = Service::WriteBehind.write_path();
    let write = |number: u32| {
        let user = json!({"name": format!("user-{number}"), "age": 30, "occupation": "Engineer"});
        assert_eq!(client.post_json(target, &user).status, 200);
    };
    write(REQUESTS);
    let of_a_write = each(&service, &client, write);
    let of_a_read = each(&service, &client, |number| {
        let answer = client.get(&format!("/users/user-{number}"));
        assert_eq!(answer.header("cache-status").unwrap(), "write-behind; hit");
    });
    println!("{of_a_write} a write, {of_a_read} a read");
    assert!(of_a_write < OF_A_WRITE_MAX, "{of_a_write} a write");
    assert!(of_a_read < OF_A_READ_MAX, "{of_a_read} a read");
}

/// How often the service allocates for one request.
fn each(service: &ServiceProcess, client: &Client, request: impl Fn(u32)) -> f64 {
    let flush = || assert_eq!(client.request("POST", "/flush", &[], None).status, 200);
    flush();
    let before = allocations(service);
    (0..REQUESTS).for_each(request);
    flush();
    (allocations(service) - before) as f64 / f64::from(REQUESTS)
}

/// How often it has allocated, as it tells.
fn allocations(service: &ServiceProcess) -> u64 {
    let logs = service.logs();
    let mut lines = logs.lines();
    let address = lines.find_map(|line| line.strip_prefix("allocations at "));
    let mut counts = String::new();
    let mut told = TcpStream::connect(address.unwrap()).unwrap();
    told.read_to_string(&mut counts).unwrap();
    counts.split(' ').next().unwrap().parse().unwrap()
}
