//! How the services take memory.

use std::fs;

use testkit::parts::Parts;
use testkit::service::Service;

/// As Linux tells it, from 5.0 on.
fn takes_huge_pages(id: u32) -> Option<bool> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let enabled = status
        .lines()
        .find_map(|line| line.strip_prefix("THP_enabled:"))?;
    Some(enabled.trim() == "1")
}

#[test]
fn services_take_no_huge_pages() {
    let here = takes_huge_pages(std::process::id());
    for service in Service::all() {
        let mut running = Parts::Embedded.start(service);
        let there = takes_huge_pages(running.process().id());
        assert_eq!(there, here.map(|_| false), "{service:?}");
    }
}
