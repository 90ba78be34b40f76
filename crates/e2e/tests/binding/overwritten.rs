//! A Redis that is bound to another copy while services run on it.

use testkit::parts::Parts;
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::site::{StoredBinding, age, must_write, rows, settle, write};

#[test]
#[ignore = "needs servers"]
fn services_on_a_redis_that_another_copy_took_refuse_writes() {
    let installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    let database = installation.database().unwrap();
    let behind = installation.start(Service::WriteBehind);
    let through = installation.start(Service::WriteThrough);
    must_write(&behind.client(), "kept", 30);
    must_write(&through.client(), "kept too", 30);
    settle(Service::WriteBehind, &behind.client());

    let mut stored = StoredBinding::of(&installation);
    let own = stored.get();
    let (_, place) = own.split_once(' ').unwrap();
    let copy = place.replace(database.name(), "staging");
    stored.set(&format!("0123456789abcdef {copy}"));

    for process in [&behind, &through] {
        let client = process.client();
        wait_until("the service refuses writes", || {
            write(&client, "kept", 31) == 503
        });
        wait_until("the service is not ready", || {
            client.get("/readyz").status == 503
        });
        let ready = client.get("/readyz");
        assert!(
            ready.text().contains("another database"),
            "{}",
            ready.text()
        );
        assert_eq!(client.get("/users/kept").status, 503);
        assert!(
            process.logs().contains("identity new"),
            "{}",
            process.logs()
        );
    }
    stored.set(&own);
    for process in [&behind, &through] {
        let client = process.client();
        wait_until("the service writes again", || {
            write(&client, "kept", 32) == 200
        });
        wait_until("the service is ready", || {
            client.get("/readyz").status == 200
        });
        assert_eq!(age(&client, "kept"), Some(32));
    }
    settle(Service::WriteBehind, &behind.client());
    assert_eq!(rows(database), [["kept", "32"], ["kept too", "30"]]);
}

#[test]
#[ignore = "needs servers"]
fn write_through_alone_goes_on_without_a_redis_that_a_copy_took() {
    let installation = Parts::RedisMariaDb.install(Service::WriteThrough);
    let database = installation.database().unwrap();
    let through = installation.start(Service::WriteThrough);
    let client = through.client();
    must_write(&client, "kept", 30);
    let mut stored = StoredBinding::of(&installation);
    let own = stored.get();
    let (_, place) = own.split_once(' ').unwrap();
    stored.set(&format!("0123456789abcdef {place}"));
    wait_until("the service bypasses that Redis", || {
        write(&client, "kept", 31) == 200 && client.get("/readyz").json()["bypassing"] == true
    });
    assert_eq!(age(&client, "kept"), Some(31));
    assert_eq!(rows(database), [["kept", "31"]]);
}
