//! Redis is restarted while the database is unavailable. A Redis that has all its data is used; any other
//! waits for the database.

use serde_json::Value;
use testkit::http::{Client, user_path};
use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::parts::{Installation, RunningService};
use testkit::proxy::ChaosProxy;
use testkit::servers::TestDatabase;
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::comparison::flush;
use crate::writers::{record, version_of};

/// write-behind-svc on a Redis of its own, and on a database behind a proxy.
struct Site {
    // The fields are dropped in this order.
    running: RunningService,
    database: ChaosProxy,
    redis: OwnServer,
}

impl Site {
    fn start() -> Site {
        // A kill loses nothing.
        let redis = OwnServer::redis(AppendFsync::BySystem, "0");
        let database = TestDatabase::create();
        let mut installation = Installation::on(Service::WriteBehind, redis.url(), database);
        let url = installation.setting("DATABASE_URL").unwrap().to_owned();
        let proxy = ChaosProxy::before(&url);
        installation.set("DATABASE_URL", &proxy.url(&url));
        Site {
            running: installation.run(),
            database: proxy,
            redis,
        }
    }

    fn client(&self) -> Client {
        self.running.client()
    }

    fn occupation_in_the_database(&self, name: &str) -> String {
        let rows = format!("SELECT occupation FROM users WHERE name = '{name}'");
        self.running
            .database()
            .unwrap()
            .query_rows(&rows)
            .concat()
            .concat()
    }
}

fn put(client: &Client, name: &str, number: u64) -> u16 {
    client
        .put_json(&user_path(name), &record(name, number))
        .status
}

fn waits_for_the_database(client: &Client, why: &str) {
    wait_until("it says why it is not ready", || {
        // Something that finds out.
        put(client, "asked", 1);
        let ready = client.get("/readyz");
        ready.status == 503 && ready.text().contains(why)
    });
    assert_eq!(put(client, "asked", 2), 503);
}

#[test]
#[ignore = "needs servers"]
fn a_restarted_redis_with_all_its_data_needs_no_database() {
    let mut site = Site::start();
    let client = site.client();
    assert_eq!(put(&client, "clean", 1), 200);
    flush(site.running.base_url());
    site.database.cut();
    assert_eq!(put(&client, "dirty", 1), 200);
    assert_eq!(put(&client, "dirty", 2), 200);
    for number in 3..5 {
        site.redis.crash_and_restart();
        wait_until("writes are taken", || put(&client, "dirty", number) == 200);
        assert_eq!(client.get("/readyz").status, 200);
        let read = client.get(&user_path("dirty"));
        assert_eq!(read.json(), record("dirty", number));
        // What only the database knows is not answered.
        assert_eq!(client.get(&user_path("clean")).status, 503);
        assert_eq!(client.get(&user_path("unknown")).status, 503);
    }
    let before = version_of(&client.get(&user_path("dirty"))).unwrap();
    site.redis.crash_and_restart();
    wait_until("what waits is read", || {
        let read = client.get(&user_path("dirty"));
        read.status == 200 && read.json() == record("dirty", 4)
    });
    let answer = client.put_json(&user_path("dirty"), &record("dirty", 9));
    assert!(version_of(&answer).unwrap() > before, "{}", answer.text());
    site.database.restore();
    flush(site.running.base_url());
    assert_eq!(site.occupation_in_the_database("dirty"), "number 9");
    assert_eq!(client.get(&user_path("clean")).json(), record("clean", 1));
}

#[test]
#[ignore = "needs servers"]
fn a_redis_without_its_newest_data_waits_for_the_database() {
    let mut site = Site::start();
    let client = site.client();
    assert_eq!(put(&client, "kept", 1), 200);
    let old = site.redis.copy_of_data();
    assert_eq!(put(&client, "kept", 2), 200);
    flush(site.running.base_url());
    site.database.cut();
    site.redis.kill_9();
    site.redis.replace_data(old.path());
    site.redis.restart();
    waits_for_the_database(&client, "it has not all its data");
    assert_ne!(client.get(&user_path("kept")).status, 200);
    site.database.restore();
    wait_until("the newest is read", || {
        let read = client.get(&user_path("kept"));
        assert!(read.status != 200 || read.json() == record("kept", 2));
        read.status == 200
    });
    wait_until("it is ready", || client.get("/readyz").status == 200);
}

/// A dead process may have learned of something that is lost.
#[test]
#[ignore = "needs servers"]
fn a_redis_that_a_dead_process_used_waits_for_the_database() {
    let mut site = Site::start();
    let client = site.client();
    let mut other = site.running.start_beside(Service::WriteBehind);
    assert_eq!(put(&client, "kept", 1), 200);
    flush(site.running.base_url());
    site.database.cut();
    other.kill_9();
    site.redis.crash_and_restart();
    waits_for_the_database(&client, "does not confirm");
    site.database.restore();
    wait_until("writes are taken", || put(&client, "kept", 2) == 200);
}

/// It writes to the database past the journal.
#[test]
#[ignore = "needs servers"]
fn a_redis_that_write_through_uses_waits_for_the_database() {
    let mut site = Site::start();
    let client = site.client();
    let other = site.running.start_beside(Service::WriteThrough);
    assert_eq!(put(&other.client(), "kept", 1), 200);
    site.database.cut();
    site.redis.crash_and_restart();
    waits_for_the_database(&client, "does not confirm");
    site.database.restore();
    wait_until("the newest is read", || {
        let read = client.get(&user_path("kept"));
        assert!(read.status != 200 || read.json() == record("kept", 1));
        read.status == 200
    });
}

/// All processes that used it are there, and none of them misses anything.
#[test]
#[ignore = "needs servers"]
fn two_processes_agree_that_a_redis_has_all_its_data() {
    let mut site = Site::start();
    let other = site.running.start_beside(Service::WriteBehind);
    let clients = [site.client(), other.client()];
    site.database.cut();
    assert_eq!(put(&clients[0], "first", 1), 200);
    assert_eq!(put(&clients[1], "second", 1), 200);
    site.redis.crash_and_restart();
    for client in &clients {
        wait_until("writes are taken", || put(client, "third", 1) == 200);
        let read = |name| -> Value { client.get(&user_path(name)).json() };
        assert_eq!(read("first"), record("first", 1));
        assert_eq!(read("second"), record("second", 1));
    }
    site.database.restore();
    flush(other.base_url());
    assert_eq!(site.occupation_in_the_database("second"), "number 1");
}
