//! A copy of the database beside the Redis of the original.

use testkit::parts::Parts;
use testkit::service::Service;

use crate::site::{age, copy_of, expect_done, expect_refused, must_write, rows, settle};

fn a_copy_needs_an_identity_of_its_own(service: Service) {
    let original = Parts::RedisMariaDb.install(service);
    let production = original.start(service);
    let production_client = production.client();
    must_write(&production_client, "shared", 30);
    settle(service, &production_client);

    let copy = copy_of(&original, service);
    let name = original.database().unwrap().name();
    expect_refused(
        &copy,
        &[],
        &["is a copy", name, "identity new", "identity move"],
    );
    // Nor may it take the Redis while that is in use.
    expect_refused(&copy, &["identity", "move"], &[name, "stop them"]);
    let shown = expect_done(&copy, &["identity", "show"]);
    assert!(shown.contains("1 another one of this identity"), "{shown}");

    let renewed = expect_done(&copy, &["identity", "new"]);
    assert!(renewed.contains("has the identity"), "{renewed}");
    let staging = copy.start(service);
    let staging_client = staging.client();
    assert_eq!(age(&staging_client, "shared"), Some(30));
    for number in 0..60 {
        must_write(&production_client, &format!("user {number}"), 40);
        if number % 3 == 0 {
            must_write(&staging_client, &format!("user {number}"), 50);
        }
    }
    for number in 0..60 {
        let user = format!("user {number}");
        assert_eq!(age(&production_client, &user), Some(40), "{user}");
        let in_staging = (number % 3 == 0).then_some(50);
        assert_eq!(age(&staging_client, &user), in_staging, "{user}");
    }
    settle(service, &production_client);
    settle(service, &staging_client);
    let in_production = rows(original.database().unwrap());
    assert_eq!(in_production.len(), 61);
    assert!(
        in_production.iter().all(|row| row[1] != "50"),
        "{in_production:?}"
    );
    let in_staging = rows(copy.database().unwrap());
    assert_eq!(in_staging.len(), 21);
    assert!(
        in_staging.iter().all(|row| row[1] != "40"),
        "{in_staging:?}"
    );
}

#[test]
#[ignore = "needs servers"]
fn write_behind_on_a_copy_needs_an_identity_of_its_own() {
    a_copy_needs_an_identity_of_its_own(Service::WriteBehind);
}

#[test]
#[ignore = "needs servers"]
fn write_through_on_a_copy_needs_an_identity_of_its_own() {
    a_copy_needs_an_identity_of_its_own(Service::WriteThrough);
}

#[test]
#[ignore = "needs servers"]
fn a_copy_does_not_drain_what_waits_for_the_original() {
    let service = Service::WriteBehind;
    let original = Parts::RedisMariaDb.install(service);
    let database = original.database().unwrap();
    let mut production = original.start(service);
    must_write(&production.client(), "kept", 30);
    settle(service, &production.client());
    let copy = copy_of(&original, service);
    // Nothing is drained while the table has another name.
    database.query_rows("RENAME TABLE users TO users_away");
    for number in 0..20 {
        must_write(&production.client(), &format!("waits {number}"), 31);
    }
    production.kill_9();
    let waiting = [
        "20 acknowledged writes",
        database.name(),
        "identity new",
        "identity move",
    ];
    expect_refused(&copy, &[], &waiting);
    assert_eq!(rows(copy.database().unwrap()), [["kept", "30"]]);
    // An identity of its own takes nothing with it.
    expect_done(&copy, &["identity", "new"]);
    let staging = copy.start(service);
    settle(service, &staging.client());
    assert_eq!(rows(copy.database().unwrap()), [["kept", "30"]]);
    database.query_rows("RENAME TABLE users_away TO users");
    let production = original.start(service);
    settle(service, &production.client());
    assert_eq!(rows(database).len(), 21);
}

#[test]
#[ignore = "needs servers"]
fn a_database_with_entries_that_wait_keeps_its_identity() {
    let service = Service::WriteBehind;
    let installation = Parts::RedisMariaDb.install(service);
    let database = installation.database().unwrap();
    let mut process = installation.start(service);
    expect_refused(&installation, &["identity", "new"], &["stop them"]);
    database.query_rows("RENAME TABLE users TO users_away");
    must_write(&process.client(), "waits", 31);
    process.kill_9();
    database.query_rows("RENAME TABLE users_away TO users");
    expect_refused(
        &installation,
        &["identity", "new"],
        &["1 acknowledged writes wait"],
    );
    let process = installation.start(service);
    settle(service, &process.client());
    assert_eq!(rows(database), [["waits", "31"]]);
}

#[test]
#[ignore = "needs servers"]
fn copies_that_start_at_once_are_not_both_served() {
    let service = Service::WriteThrough;
    let original = Parts::RedisMariaDb.install(service);
    let mut process = original.start(service);
    must_write(&process.client(), "shared", 30);
    assert!(process.terminate().success());
    let copy = copy_of(&original, service);
    // The one that is refused ends before it listens.
    let started = std::thread::scope(|scope| {
        let starts =
            [&original, &copy].map(|installation| scope.spawn(move || installation.start(service)));
        starts.map(|start| start.join().ok())
    });
    assert_eq!(started.iter().flatten().count(), 1);
}
