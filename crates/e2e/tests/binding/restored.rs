//! An older state of the database beside a Redis that was not emptied.

use testkit::parts::Parts;
use testkit::servers::TestDatabase;
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::site::{age, copy_tables, expect_done, expect_refused, must_write, rows, settle, write};

fn an_older_state_is_refused(service: Service) {
    let installation = Parts::RedisMariaDb.install(service);
    let database = installation.database().unwrap();
    let process = installation.start(service);
    let client = process.client();
    must_write(&client, "kept", 30);
    settle(service, &client);
    let backup = TestDatabase::create();
    copy_tables(database, &backup);
    must_write(&client, "kept", 31);
    must_write(&client, "late", 31);
    settle(service, &client);
    assert_eq!(age(&client, "kept"), Some(31));
    // At once, so that nothing but the write itself has told of it.
    drop(process);

    copy_tables(&backup, database);
    let words = ["older state", database.name(), "identity move"];
    expect_refused(&installation, &[], &words);
    let moved = expect_done(&installation, &["identity", "move"]);
    assert!(moved.contains("0 entries wait"), "{moved}");
    let process = installation.start(service);
    let client = process.client();
    assert_eq!(age(&client, "kept"), Some(30));
    assert_eq!(age(&client, "late"), None);
    must_write(&client, "kept", 32);
    assert_eq!(age(&client, "kept"), Some(32));
    settle(service, &client);
    assert_eq!(rows(database), [["kept", "32"]]);
}

#[test]
#[ignore = "needs servers"]
fn write_behind_on_an_older_state_is_refused() {
    an_older_state_is_refused(Service::WriteBehind);
}

#[test]
#[ignore = "needs servers"]
fn write_through_on_an_older_state_is_refused() {
    an_older_state_is_refused(Service::WriteThrough);
}

#[test]
#[ignore = "needs servers"]
fn what_waits_is_drained_into_the_state_that_was_restored() {
    let service = Service::WriteBehind;
    let installation = Parts::RedisMariaDb.install(service);
    let database = installation.database().unwrap();
    let mut process = installation.start(service);
    must_write(&process.client(), "kept", 30);
    settle(service, &process.client());
    let backup = TestDatabase::create();
    copy_tables(database, &backup);
    must_write(&process.client(), "late", 31);
    settle(service, &process.client());
    database.query_rows("RENAME TABLE users TO users_away");
    must_write(&process.client(), "waits", 32);
    process.kill_9();
    copy_tables(&backup, database);
    expect_refused(&installation, &[], &["older state"]);
    let moved = expect_done(&installation, &["identity", "move"]);
    assert!(moved.contains("1 entries wait"), "{moved}");
    let process = installation.start(service);
    assert_eq!(age(&process.client(), "waits"), Some(32));
    assert_eq!(age(&process.client(), "late"), None);
    settle(service, &process.client());
    assert_eq!(rows(database), [["kept", "30"], ["waits", "32"]]);
}

#[test]
#[ignore = "needs servers"]
fn a_row_deleted_by_hand_makes_no_older_state() {
    for service in Service::all() {
        let mut running = Parts::RedisMariaDb.start(service);
        must_write(&running.client(), "first", 30);
        must_write(&running.client(), "newest", 30);
        settle(service, &running.client());
        assert!(running.terminate().success());
        let database = running.database().unwrap();
        database.query_rows("DELETE FROM users WHERE name = 'newest'");
        running.start_again();
        must_write(&running.client(), "newest", 31);
        assert_eq!(age(&running.client(), "newest"), Some(31));
    }
}

/// Puts an older state of the rows into place while services run, in one atomic statement.
fn roll_back(database: &TestDatabase) {
    database.query_rows(
        "RENAME TABLE users TO users_lost, users_backup TO users, \
         cache_binding TO binding_lost, binding_backup TO cache_binding",
    );
}

fn back_up(database: &TestDatabase) {
    for (from, to) in [
        ("users", "users_backup"),
        ("cache_binding", "binding_backup"),
    ] {
        database.query_rows(&format!("CREATE TABLE {to} LIKE {from}"));
        database.query_rows(&format!("INSERT INTO {to} SELECT * FROM {from}"));
    }
}

/// The newest version as `table` has it noted.
fn noted(database: &TestDatabase, table: &str) -> u64 {
    let rows = database.query_rows(&format!("SELECT newest FROM {table}"));
    rows[0][0].parse().unwrap()
}

fn a_running_service_finds_an_older_state(service: Service) {
    let installation = Parts::RedisMariaDb.install(service);
    let database = installation.database().unwrap();
    let mut process = installation.start(service);
    let client = process.client();
    must_write(&client, "kept", 30);
    settle(service, &client);
    back_up(database);
    let before = noted(database, "binding_backup");
    must_write(&client, "kept", 31);
    settle(service, &client);
    wait_until("the newest version is noted", || {
        noted(database, "cache_binding") > before
    });
    roll_back(database);
    wait_until("the service says so", || {
        process.logs().contains("older state")
    });
    assert!(process.logs().contains("identity move"));
    match service {
        Service::WriteBehind => {
            wait_until("the service is not ready", || {
                client.get("/readyz").status == 503
            });
            assert_eq!(write(&client, "kept", 32), 503);
            assert_eq!(client.get("/users/kept").status, 503);
        }
        Service::WriteThrough => {
            wait_until("the service bypasses Redis", || {
                write(&client, "late", 32) == 200
                    && client.get("/readyz").json()["bypassing"] == true
            });
            assert_eq!(age(&client, "kept"), Some(30));
        }
    }
    // A registration of a refused process does not keep the operator from deciding.
    let moved = expect_done(&installation, &["identity", "move"]);
    assert!(moved.contains("0 entries wait"), "{moved}");
    assert!(process.terminate().success());
    let process = installation.start(service);
    assert_eq!(age(&process.client(), "kept"), Some(30));
}

#[test]
#[ignore = "needs servers"]
fn a_running_write_behind_finds_an_older_state() {
    a_running_service_finds_an_older_state(Service::WriteBehind);
}

#[test]
#[ignore = "needs servers"]
fn a_running_write_through_finds_an_older_state() {
    a_running_service_finds_an_older_state(Service::WriteThrough);
}
