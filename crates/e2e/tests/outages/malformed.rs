//! Requests that cannot be read are counted in the log, not listed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use testkit::service::{Service, ServiceProcess};
use testkit::wait::wait_until;

const REQUESTS: usize = 300;

fn send_malformed(process: &ServiceProcess) {
    let address = process.base_url().trim_start_matches("http://");
    for _ in 0..REQUESTS {
        let mut connection = TcpStream::connect(address).unwrap();
        connection.write_all(b"NO REQUEST\r\n\r\n").unwrap();
        let mut answer = String::new();
        let _ = connection.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[test]
fn malformed_requests_are_one_line_together() {
    for service in Service::all() {
        let process = ServiceProcess::start(service, &[]);
        send_malformed(&process);
        wait_until("a line tells of them", || {
            process.logs().contains("requests could not be read")
        });
        let logs = process.logs();
        let lines = logs.lines().filter(|line| line.contains("request")).count();
        assert!(lines <= 2, "{logs}");
    }
}

#[test]
fn each_is_a_line_at_debug_level() {
    let process = ServiceProcess::start(Service::WriteBehind, &[("LOG", "debug")]);
    send_malformed(&process);
    wait_until("each has a line", || {
        let logs = process.logs();
        let lines = logs
            .lines()
            .filter(|line| line.contains("request parse error"));
        lines.count() >= REQUESTS
    });
}
