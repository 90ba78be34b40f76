//! The number of shards, as database and Redis note it.

use testkit::parts::Parts;
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::site::{
    StoredBinding, age, expect_done, expect_refused, must_write, rows, settle, write,
};

#[test]
#[ignore = "needs servers"]
fn a_drained_redis_of_an_older_version_is_taken_over() {
    for service in Service::all() {
        let installation = Parts::RedisMariaDb.install(service);
        let mut process = installation.start(service);
        must_write(&process.client(), "kept", 30);
        settle(service, &process.client());
        assert!(process.terminate().success());
        let mut stored = StoredBinding::of(&installation);
        let bound = stored.get();
        // Of one with unpacked bodies, and of one that had no number of shards, either.
        for form in ["/1 ", " "] {
            let older = bound.replacen("+1/1 ", form, 1);
            assert_ne!(older, bound);
            stored.set(&older);
            let mut process = installation.start(service);
            assert_eq!(stored.get(), bound);
            assert_eq!(age(&process.client(), "kept"), Some(30));
            assert!(process.terminate().success());
        }
    }
}

#[test]
#[ignore = "needs servers"]
fn a_number_that_is_changed_while_a_service_runs_stops_it() {
    let service = Service::WriteBehind;
    let installation = Parts::RedisMariaDb.install(service);
    let database = installation.database().unwrap();
    let mut process = installation.start(service);
    let client = process.client();
    must_write(&client, "before", 30);
    database.query_rows("UPDATE cache_binding SET shards = 3");
    wait_until("writes are refused", || {
        write(&client, "meanwhile", 31) == 503
    });
    let set_back = ["set it back to 1"];
    expect_refused(&installation, &[], &set_back);
    database.query_rows("UPDATE cache_binding SET shards = 1");
    wait_until("writes go on", || write(&client, "after", 32) == 200);
    settle(service, &client);
    assert!(process.terminate().success());
    database.query_rows("UPDATE cache_binding SET shards = 3");
    expect_refused(&installation, &["identity", "move"], &set_back);
    expect_refused(&installation, &["release"], &set_back);
    let shown = expect_done(&installation, &["identity", "show"]);
    assert!(shown.contains("set it back to 1"), "{shown}");
    // Under another identity nothing is noted.
    expect_done(&installation, &["identity", "new"]);
    let process = installation.start(service);
    for number in 0..9 {
        must_write(&process.client(), &format!("user {number}"), 33);
    }
    settle(service, &process.client());
    let journal = process.client().get("/journal").json();
    assert_eq!(journal["shards"].as_array().unwrap().len(), 3);
    let in_three = rows(database).into_iter().filter(|row| row[1] == "33");
    assert_eq!(in_three.count(), 9);
}
