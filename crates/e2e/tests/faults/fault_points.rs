//! The service dying between two steps, at points that it names, which no kill from outside would hit for
//! sure. Debug builds only have these points.

use std::os::unix::process::ExitStatusExt as _;

use testkit::parts::Parts;
use testkit::service::{Service, ServiceProcess};

use crate::comparison::compare;
use crate::endpoints::Endpoints;
use crate::seed::Seed;
use crate::workload::{Load, Workload};

const SETTING: &str = "FAULT_POINTS";

/// Between the append to the journal and the answer.
const APPEND_JOURNALED: &str = "append.journaled";
/// Between the database's commit and the acknowledgement to the journal.
const DRAIN_APPLIED: &str = "drain.applied";
/// Between the acknowledgement by the journal and the mark in the cache, on a journal that does not hold
/// the cache.
const DRAIN_ACKNOWLEDGED: &str = "drain.acknowledged";

/// Before a segment is created, before the manifest lists it, and before it takes a batch.
const SEGMENT: &str = "journal.segment";
const MANIFEST: &str = "journal.manifest";
const BEGUN: &str = "journal.begun";
/// Between the manifest's change and the deletion of drained segments.
const DELETE: &str = "journal.delete";

/// At which passage of the point the process dies, in turn: the first, and later ones.
const PASSAGES_MAX: [u64; 3] = [1, 20, 60];
/// How often a start passes it.
const PASSAGES_AT_START: [(&str, u64); 1] = [(MANIFEST, 1)];

fn survives_death_at(point: &str, parts: Parts) {
    let seed = Seed::of_this_run();
    let mut choices = seed.choices(u64::MAX);
    let mut installation = parts.install(Service::WriteBehind);
    // So that segments begin and end all the time.
    installation.set("JOURNAL_SEGMENT_BYTES", "200");
    let at_start = PASSAGES_AT_START.iter().find(|(of, _)| *of == point);
    let at_start = at_start.map_or(0, |(_, passages)| *passages);
    let plain: Vec<(&str, &str)> = installation.settings().collect();
    let start = |env: &[(&str, &str)]| {
        let env = [plain.as_slice(), env].concat();
        ServiceProcess::start_in(installation.folder(), Service::WriteBehind, &env)
    };
    let mut process = start(&[]);
    let endpoints = Endpoints::new([process.base_url()]);
    let workload = Workload::start(seed, &endpoints, Load::USUAL);
    workload.acknowledges(50);
    for most in PASSAGES_MAX {
        let passage = at_start + choices.u64(1..=most);
        println!("death at passage {passage} of {point}");
        // With nothing left to drain: it must not come to the point before it listens.
        assert!(process.terminate().success());
        process = start(&[(SETTING, &format!("{point}=crash@{passage}"))]);
        endpoints.moved(0, process.base_url());
        workload.works_until("the service dies at the point", || {
            process.exit_status_now().is_some()
        });
        let status = process.wait();
        assert!(status.signal().is_some(), "{status}: {}", process.logs());

        process = start(&[]);
        endpoints.moved(0, process.base_url());
        workload.acknowledges(50);
    }
    let ledger = workload.end();
    compare(&ledger, process.base_url(), &installation);
}

#[test]
fn death_between_append_and_answer_loses_nothing_on_embedded_parts() {
    survives_death_at(APPEND_JOURNALED, Parts::Embedded);
}

#[test]
#[ignore = "needs servers"]
fn death_between_append_and_answer_loses_nothing_on_redis_and_mariadb() {
    survives_death_at(APPEND_JOURNALED, Parts::RedisMariaDb);
}

#[test]
fn death_between_commit_and_acknowledgement_loses_nothing_on_embedded_parts() {
    survives_death_at(DRAIN_APPLIED, Parts::Embedded);
}

#[test]
#[ignore = "needs servers"]
fn death_between_commit_and_acknowledgement_loses_nothing_on_redis_and_mariadb() {
    survives_death_at(DRAIN_APPLIED, Parts::RedisMariaDb);
}

#[test]
fn death_between_acknowledgement_and_the_mark_in_the_cache_loses_nothing() {
    survives_death_at(DRAIN_ACKNOWLEDGED, Parts::Embedded);
}

#[test]
fn death_around_the_beginning_of_a_segment_loses_nothing() {
    for point in [SEGMENT, MANIFEST, BEGUN] {
        survives_death_at(point, Parts::Embedded);
    }
}

#[test]
fn death_before_the_deletion_of_a_segment_loses_nothing() {
    survives_death_at(DELETE, Parts::Embedded);
}
