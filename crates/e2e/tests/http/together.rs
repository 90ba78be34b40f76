//! Several processes at once: both services in one folder, and replicas on one database.

use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use testkit::parts::Parts;
use testkit::service::{Service, ServiceProcess, run_to_end};

use crate::api::{Api, record, version};
use crate::races::expect_no_increment_lost;

#[test]
fn both_services_run_in_one_folder_with_nothing_configured_but_the_port() {
    let folder = TempDir::new().unwrap();
    let names = ["shared name", "another"];
    for round in 0..2 {
        let mut processes = Service::all().map(|service| {
            let process = ServiceProcess::start_in(folder.path(), service, &[]);
            (service, process)
        });
        for (service, process) in &processes {
            let api = Api::at(*service, process.base_url());
            let occupation = service.name();
            if round == 0 {
                for name in names {
                    assert_eq!(api.get(name).status, 404, "{occupation}");
                    api.must_write(&record(name, 30, occupation));
                }
            }
            for name in names {
                assert_eq!(api.must_get(name), record(name, 30, occupation));
            }
            api.settle();
            assert_eq!(api.all_users(10).len(), names.len());
        }
        for (service, process) in &mut processes {
            assert!(process.terminate().success(), "{}", service.name());
        }
    }
}

#[test]
fn a_second_process_on_the_same_files_is_refused() {
    for service in Service::all() {
        let folder = TempDir::new().unwrap();
        let first = ServiceProcess::start_in(folder.path(), service, &[]);
        let api = Api::at(service, first.base_url());
        api.must_write(&record("kept", 30, "Engineer"));
        let output = run_to_end(
            service
                .command()
                .env("LISTEN", "127.0.0.1:0")
                .env("STARTUP_DEADLINE_S", "1")
                .current_dir(folder.path()),
        );
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("another process"), "{stderr}");
        assert_eq!(api.must_get("kept"), record("kept", 30, "Engineer"));
    }
}

#[test]
fn an_address_that_is_taken_is_named() {
    for service in Service::all() {
        let first = ServiceProcess::start(service, &[]);
        let address = first.base_url().trim_start_matches("http://");
        let folder = TempDir::new().unwrap();
        let output = run_to_end(
            service
                .command()
                .env("LISTEN", address)
                .current_dir(folder.path()),
        );
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.contains(address) && stderr.contains("LISTEN"),
            "{stderr}"
        );
    }
}

#[test]
#[ignore = "needs servers"]
fn replicas_of_both_services_that_start_at_once_on_a_new_database_all_come_up() {
    let installation = Parts::RedisMariaDb.install(Service::WriteThrough);
    let database = installation.database().unwrap();
    database.query_rows(&format!("DROP DATABASE `{}`", database.name()));
    let replicas: Vec<(Service, ServiceProcess)> = thread::scope(|scope| {
        let threads: Vec<_> = [Service::all(), Service::all(), Service::all()]
            .into_iter()
            .flatten()
            .map(|service| {
                let installation = &installation;
                scope.spawn(move || (service, installation.start(service)))
            })
            .collect();
        let threads = threads.into_iter();
        threads.map(|thread| thread.join().unwrap()).collect()
    });
    for (number, (service, process)) in (0..).zip(&replicas) {
        let api = Api::at(*service, process.base_url());
        assert_eq!(api.client().get("/readyz").status, 200);
        api.must_write(&record(&format!("replica {number}"), number, "Engineer"));
        api.settle();
    }
    let (service, process) = &replicas[0];
    let api = Api::at(*service, process.base_url());
    assert_eq!(api.all_users(100).len(), replicas.len());
    let migrations = database.query_rows("SELECT COUNT(*) FROM users_identity");
    assert_eq!(migrations, [["1"]]);
}

#[test]
#[ignore = "needs servers"]
fn what_one_replica_acknowledges_every_replica_reads() {
    for service in Service::all() {
        let installation = Parts::RedisMariaDb.install(service);
        let replicas = [installation.start(service), installation.start(service)];
        let apis = replicas
            .each_ref()
            .map(|process| Api::at(service, process.base_url()));
        let mut newest = 0;
        for age in 0..60 {
            let (writer, reader) = (&apis[usize::from(age) % 2], &apis[usize::from(age + 1) % 2]);
            if age % 10 == 9 {
                let deleted = writer.delete("shared");
                assert_eq!(deleted.status, 204);
                assert!(version(&deleted) > newest);
                newest = version(&deleted);
                assert_eq!(reader.get("shared").status, 404);
                continue;
            }
            let written = writer.must_write(&record("shared", age, "Engineer"));
            assert!(written > newest);
            newest = written;
            let read = reader.get("shared");
            assert_eq!(read.json(), record("shared", age, "Engineer"));
            assert_eq!(version(&read), written);
            if age % 20 == 15 {
                // The drainer of either replica may have taken it to the database by then.
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

fn expect_no_increment_lost_through(services: [Service; 3]) {
    let installation = Parts::RedisMariaDb.install(services[0]);
    let replicas = services.map(|service| (service, installation.start(service)));
    let apis = replicas
        .each_ref()
        .map(|(service, process)| Api::at(*service, process.base_url()));
    expect_no_increment_lost(&apis, 12, 100);
}

#[test]
#[ignore = "needs servers"]
fn of_increments_through_several_replicas_of_write_behind_none_is_lost() {
    expect_no_increment_lost_through([Service::WriteBehind; 3]);
}

#[test]
#[ignore = "needs servers"]
fn of_increments_through_several_replicas_of_write_through_none_is_lost() {
    expect_no_increment_lost_through([Service::WriteThrough; 3]);
}

#[test]
#[ignore = "needs servers"]
fn of_increments_through_both_services_none_is_lost() {
    let [write_through, write_behind] = Service::all();
    expect_no_increment_lost_through([write_through, write_behind, write_through]);
}
