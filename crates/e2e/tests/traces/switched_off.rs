//! Without a collector in the settings.

use procfs::process::Process;
use testkit::parts::{Parts, RunningService};
use testkit::service::Service;

use crate::collector::{Collector, Mood};
use crate::site::{put, start, trace_id};

/// The names of its threads, as far as the system keeps them.
fn threads(running: &mut RunningService) -> Vec<String> {
    let process = Process::new(running.process().id().cast_signed()).unwrap();
    let tasks = process.tasks().unwrap().flatten();
    tasks
        .filter_map(|task| Some(task.stat().ok()?.comm))
        .collect()
}

fn exporting(running: &mut RunningService) -> usize {
    let threads = threads(running);
    let exporting = threads.iter().filter(|name| name.starts_with("OpenTele"));
    exporting.count()
}

#[test]
fn a_service_without_a_collector_has_no_thread_for_traces() {
    for service in Service::all() {
        let mut running = Parts::Embedded.start(service);
        put(&running.client(), "a", &trace_id(1));
        assert_eq!(exporting(&mut running), 0);
        let collector = Collector::start(Mood::Takes);
        let mut running = start((service, Parts::Embedded), &collector.url(), &[]);
        assert_eq!(exporting(&mut running), 1);
    }
}
