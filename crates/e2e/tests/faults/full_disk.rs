//! A disk without room under the file journal or the SQLite file: writes are refused, nothing that was
//! acknowledged is lost, and when there is room again all goes on without a restart.

use serde_json::{Value, json};
use testkit::http::{Client, Response, user_path};
use testkit::parts::{Installation, Parts};
use testkit::service::{Service, ServiceProcess};
use testkit::small_disk::SmallDisk;
use testkit::wait::wait_until;

use crate::comparison::{compare, flush};
use crate::endpoints::Endpoints;
use crate::seed::Seed;
use crate::workload::{Load, Workload};
use crate::writers::record;

const FAULT_POINTS: &str = "FAULT_POINTS";
/// The drain commits once and then acknowledges nothing any more.
const DRAIN_STUCK: &str = "drain.applied=wait:3600000";
const KILLS: usize = 6;

fn installed(disk: &SmallDisk) -> Installation {
    let mut installation = Parts::Embedded.install(Service::WriteBehind);
    let journal = format!("file:{}", disk.path().join("journal").display());
    installation.set("JOURNAL_URL", &journal);
    installation
}

fn put(client: &Client, name: &str) -> Response {
    client.put_json(&user_path(name), &record(name, 1))
}

fn journal_part(client: &Client) -> (u16, Value) {
    let answer = client.get("/readyz");
    (answer.status, answer.json()["parts"]["journal"].clone())
}

/// Fills the disk until a write is refused; that it was not written is said.
fn fill_until_refused(disk: &SmallDisk, process: &ServiceProcess) {
    let client = process.client();
    let mut refusal = None;
    wait_until("the disk is full", || {
        disk.fill(process);
        let answer = put(&client, "one more");
        let is_refused = answer.status == 503;
        refusal = Some(answer);
        is_refused
    });
    let refusal = refusal.expect("an answer");
    assert!(refusal.header("Retry-After").is_some());
    let detail = refusal.json()["detail"].clone();
    assert_eq!(detail, "the journal is unavailable; nothing was written");
}

/// Fills the disk until the journal is reported as down. A batch that does not fit is no proof of it, as a
/// smaller one may fit afterwards and bring the journal up again.
fn fill_until_not_ready(disk: &SmallDisk, process: &ServiceProcess) {
    wait_until("the journal is not up", || {
        fill_until_refused(disk, process);
        let (ready, journal) = journal_part(&process.client());
        ready == 503 && journal["problem"].is_string()
    });
}

fn takes_writes_again_when_there_is_room(disk: SmallDisk) {
    let mut installation = installed(&disk);
    installation.set(FAULT_POINTS, DRAIN_STUCK);
    let mut process = disk.start(&installation);
    let endpoints = Endpoints::new([process.base_url()]);
    let workload = Workload::start(Seed::of_this_run(), &endpoints, Load::USUAL);
    workload.acknowledges(100);
    fill_until_not_ready(&disk, &process);

    // It starts on a full disk, too: else it could never drain.
    process.kill_9();
    process = disk.start(&installation);
    endpoints.moved(0, process.base_url());
    fill_until_refused(&disk, &process);
    let ledger = workload.end();

    // Without a write, which a balancer would not send.
    disk.free(&process);
    let client = process.client();
    wait_until("it is ready", || journal_part(&client).0 == 200);
    assert_eq!(put(&client, "one more").status, 200);
    process.kill_9();

    installation.set(FAULT_POINTS, "");
    let process = disk.start(&installation);
    compare(&ledger, process.base_url(), &installation);
    let read = process.client().get(&user_path("one more"));
    assert_eq!(read.json(), record("one more", 1));
}

#[test]
fn a_journal_takes_writes_again_when_its_disk_has_room() {
    takes_writes_again_when_there_is_room(SmallDisk::mounted());
}

#[test]
fn a_journal_takes_writes_again_when_its_files_may_grow() {
    takes_writes_again_when_there_is_room(SmallDisk::limited());
}

fn survives_kills(disk: SmallDisk) {
    let seed = Seed::of_this_run();
    let mut choices = seed.choices(u64::MAX);
    let mut installation = installed(&disk);
    installation.set("JOURNAL_SEGMENT_BYTES", "20000");
    let mut process = disk.start(&installation);
    let endpoints = Endpoints::new([process.base_url()]);
    let workload = Workload::start(seed, &endpoints, Load::USUAL);
    for kill in 0..KILLS {
        workload.acknowledges(choices.u64(20..200));
        // While it is being filled, when it is full, and after it was freed.
        disk.fill(&process);
        if kill % 3 > 0 {
            fill_until_refused(&disk, &process);
        }
        if kill % 3 > 1 {
            disk.free(&process);
            workload.acknowledges(choices.u64(1..50));
        }
        process.kill_9();
        process = disk.start(&installation);
        endpoints.moved(0, process.base_url());
        disk.free(&process);
    }
    workload.acknowledges(100);
    let ledger = workload.end();
    compare(&ledger, process.base_url(), &installation);
}

#[test]
fn kills_around_a_full_disk_lose_nothing() {
    survives_kills(SmallDisk::mounted());
}

#[test]
fn kills_around_files_that_may_not_grow_lose_nothing() {
    survives_kills(SmallDisk::limited());
}

/// Room that is needed to drain would never come.
#[test]
fn a_journal_that_fills_its_disk_drains_and_goes_on() {
    for segment_bytes in ["67108864", "100000"] {
        let disk = SmallDisk::mounted();
        let mut installation = installed(&disk);
        installation.set("JOURNAL_SEGMENT_BYTES", segment_bytes);
        installation.set(FAULT_POINTS, DRAIN_STUCK);
        let mut process = disk.start(&installation);
        disk.bound(&process);
        let client = process.client();
        let mut acknowledged: Vec<(String, Value)> = Vec::new();
        wait_until("the journal has filled its disk", || {
            let name = format!("{}", acknowledged.len());
            let user = json!({ "name": name, "age": 30, "occupation": "😀".repeat(255) });
            let answer = client.put_json(&user_path(&name), &user);
            if answer.status == 200 {
                acknowledged.push((name, user));
            }
            answer.status == 503
        });
        process.kill_9();
        installation.set(FAULT_POINTS, "");
        process = disk.start(&installation);
        flush(process.base_url());
        let client = process.client();
        assert_eq!(put(&client, "after").status, 200);
        for (name, user) in &acknowledged {
            assert_eq!(client.get(&user_path(name)).json(), *user);
        }
    }
}

#[test]
fn a_full_disk_under_sqlite_holds_up_the_drain_and_nothing_more() {
    for disk in [SmallDisk::mounted(), SmallDisk::limited()] {
        let mut installation = Parts::Embedded.install(Service::WriteBehind);
        let database = format!("sqlite://{}", disk.path().join("users.db").display());
        installation.set("DATABASE_URL", &database);
        let process = disk.start(&installation);
        let endpoints = Endpoints::new([process.base_url()]);
        let workload = Workload::start(Seed::of_this_run(), &endpoints, Load::USUAL);
        workload.acknowledges(100);
        disk.fill(&process);
        workload.works_until("it cannot drain", || {
            process.logs().contains("cannot drain")
        });
        disk.free(&process);
        workload.acknowledges(100);
        let ledger = workload.end();
        compare(&ledger, process.base_url(), &installation);
        let letters = process.client().get("/dead-letters").json();
        assert_eq!(letters["dead_letters"].as_array().map(Vec::len), Some(0));
    }
}

#[test]
fn write_through_writes_again_when_sqlite_has_room() {
    for disk in [SmallDisk::mounted(), SmallDisk::limited()] {
        let mut installation = Parts::Embedded.install(Service::WriteThrough);
        let database = format!("sqlite://{}", disk.path().join("users.db").display());
        installation.set("DATABASE_URL", &database);
        let process = disk.start(&installation);
        let client = process.client();
        let mut acknowledged = Vec::new();
        disk.fill(&process);
        wait_until("a write is refused", || {
            let name = format!("{}", acknowledged.len());
            let answer = put(&client, &name);
            if answer.status == 200 {
                acknowledged.push(name);
            }
            answer.status == 503
        });
        disk.free(&process);
        wait_until("a write is taken", || put(&client, "after").status == 200);
        acknowledged.push("after".to_owned());
        for name in acknowledged {
            assert_eq!(client.get(&user_path(&name)).json(), record(&name, 1));
        }
    }
}
