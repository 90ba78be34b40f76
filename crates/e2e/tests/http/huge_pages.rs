//! How the services take memory.

use procfs::process::Process;
use testkit::parts::Parts;
use testkit::service::Service;

/// As Linux tells it, from 5.0 on.
fn takes_huge_pages(id: u32) -> Option<bool> {
    let process = Process::new(id.cast_signed()).ok()?;
    process.status().ok()?.thp_enabled
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
