//! A Redis that dies and comes back, by TLS.

use testkit::service::Service;
use testkit::wait::wait_until;

use crate::site::{Api, Clients, Site};

const USERS: usize = 40;

fn names(prefix: &str) -> Vec<String> {
    (0..USERS)
        .map(|number| format!("{prefix} {number}"))
        .collect()
}

/// Long enough that no lease is renewed while a test waits.
const LEASE_MS: &str = "120000";

#[test]
#[ignore = "needs servers"]
fn nothing_that_write_behind_acknowledged_is_lost_with_a_redis_that_is_killed() {
    let mut site = Site::start(Clients::Anybody);
    let running = site.install(Service::WriteBehind).run();
    let api = Api {
        service: Service::WriteBehind,
        client: running.client(),
    };
    assert_eq!(api.write("a user"), 200);
    api.flush();
    // So that all that follows is in Redis and nowhere else.
    site.database.pause();
    for name in names("acknowledged") {
        assert_eq!(api.write(&name), 200, "{name}");
    }
    site.redis.server.crash_and_restart();
    site.database.resume();
    for name in names("acknowledged") {
        wait_until(&name, || match api.read(&name) {
            200 => true,
            status => {
                assert_eq!(status, 503, "{name} is lost");
                false
            }
        });
    }
    api.flush();
    let count = "SELECT COUNT(*) FROM users WHERE name LIKE 'acknowledged %'";
    let count = running.database().unwrap().query_rows(count);
    assert_eq!(count, [[USERS.to_string()]]);
    assert_eq!(site.redis.connections().plain, 0);
}

#[test]
#[ignore = "needs servers"]
fn processes_share_shards_and_wake_each_other_after_a_restart() {
    let mut site = Site::start(Clients::Anybody);
    let mut installation = site.install(Service::WriteBehind);
    installation.set("LEASE_MS", LEASE_MS);
    installation.spread_over(16);
    let processes = [(); 2].map(|()| installation.start(Service::WriteBehind));
    let apis = processes
        .each_ref()
        .map(|process| Api::of(Service::WriteBehind, process));
    let both_listen = || site_listens(&site) == processes.len();
    wait_until("both hear each other", both_listen);
    let share = |api: &Api| {
        let metrics = api.client.get("/metrics");
        let line = metrics
            .text()
            .lines()
            .find(|line| line.starts_with("write_cache_journal_leases_held"));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or(0.0)
    };
    wait_until("both hold shards", || {
        apis.iter().all(|api| share(api) > 0.0)
    });

    // What is written to one is drained by both, which notify each other.
    let write_and_flush = |prefix: &str| {
        for name in names(prefix) {
            wait_until(&name, || apis[0].write(&name) == 200);
        }
        let flush = "/flush?timeout_s=20";
        let flushed = apis[0].client.request("POST", flush, &[], None);
        assert_eq!(flushed.status, 200, "{prefix}: {}", flushed.text());
    };
    write_and_flush("before");
    site.redis.server.crash_and_restart();
    wait_until("both hear each other again", || {
        site_listens(&site) == processes.len()
    });
    write_and_flush("after");
    assert_eq!(site.redis.connections().plain, 0);
    drop(processes);
}

fn site_listens(site: &Site) -> usize {
    site.redis.connections().subscribed_by_tls
}

#[test]
#[ignore = "needs servers"]
fn write_through_bypasses_a_lost_redis_and_returns() {
    let mut site = Site::start(Clients::Anybody);
    let running = site.install(Service::WriteThrough).run();
    let api = Api {
        service: Service::WriteThrough,
        client: running.client(),
    };
    assert_eq!(api.write("before"), 200);
    let bypasses = || {
        let readiness = api.client.get("/readyz");
        readiness.json()["bypassing"] == true
    };
    site.redis.server.kill_9();
    wait_until("it goes past Redis", || {
        api.write("meanwhile") == 200 && bypasses()
    });
    site.redis.server.restart();
    wait_until("it uses Redis again", || !bypasses());
    for name in ["before", "meanwhile"] {
        assert_eq!(api.read(name), 200, "{name}");
    }
    let hit = || {
        let answer = api.client.get("/users/before");
        answer
            .header("cache-status")
            .is_some_and(|status| status.contains("hit"))
    };
    wait_until("a read is answered by Redis", hit);
    assert_eq!(site.redis.connections().plain, 0);
}
