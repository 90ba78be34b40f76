//! Servers that the services cannot use: replicas, Sentinels and nodes of a Cluster.

use std::process::Command;

use testkit::own_servers::{AppendFsync, OwnServer, free_port};
use testkit::parts::Installation;
use testkit::redis_connection::RedisConnection;
use testkit::servers::TestDatabase;
use testkit::service::{Service, ServiceProcess};
use testkit::wait::wait_until;

use crate::site::{Cache, REFUSED, expect_end, must_write, run};

/// Expects that neither service starts on `url`.
#[track_caller]
fn expect_refused(url: &str, deadline_s: &str, words: &str) {
    for service in Service::all() {
        let installation = Installation::on(service, url, TestDatabase::create());
        let with_deadline = |command: &mut Command| {
            command.env("STARTUP_DEADLINE_S", deadline_s);
        };
        let output = run(&installation, with_deadline);
        expect_end(&output, REFUSED, &["CACHE_URL", words]);
    }
}

/// Longer than a test may take, so an earlier refusal did not wait for it.
const VERY_LONG: &str = "3600";

#[test]
#[ignore = "needs servers"]
fn a_node_of_a_cluster_is_refused_at_once() {
    // Not 10,000 above the other, where outgoing connections may have it.
    let bus = free_port().to_string();
    let cache = Cache::start(&["--cluster-enabled", "yes", "--cluster-port", &bus]);
    let url = cache.server.url().to_owned();
    expect_refused(&url, VERY_LONG, "Cluster");
    expect_refused(&format!("{url}/1"), VERY_LONG, "Cluster");
}

#[test]
#[ignore = "needs servers"]
fn a_sentinel_is_refused_at_once() {
    let sentinel = OwnServer::sentinel();
    let url = sentinel.url().to_owned();
    expect_refused(&url, VERY_LONG, "Sentinel");
    expect_refused(&format!("{url}/1"), VERY_LONG, "Sentinel");
}

#[test]
#[ignore = "needs servers"]
fn a_replica_is_refused_at_the_deadline() {
    let mut cache = Cache::start(&[]);
    cache.command(&["REPLICAOF", "127.0.0.1", "1"]);
    expect_refused(cache.server.url(), "1", "replica");
}

#[test]
#[ignore = "needs servers"]
fn a_replica_that_becomes_a_primary_is_waited_for() {
    let mut cache = Cache::start(&[]);
    for service in Service::all() {
        cache.command(&["REPLICAOF", "127.0.0.1", "1"]);
        let mut installation = cache.install(service);
        installation.set("STARTUP_DEADLINE_S", VERY_LONG);
        cache.command(&["CONFIG", "RESETSTAT"]);
        let process = std::thread::scope(|scope| {
            let starting = scope.spawn(|| installation.start(service));
            wait_until("it asks the replica", || is_asked(&mut cache));
            cache.command(&["REPLICAOF", "NO", "ONE"]);
            starting.join().unwrap()
        });
        expect_served(&process);
    }
}

fn is_asked(cache: &mut Cache) -> bool {
    let said: String = cache.admin.ask(&["INFO", "commandstats"]).unwrap();
    // This test's own INFO must not count at the next look.
    cache.command(&["CONFIG", "RESETSTAT"]);
    let calls = said.split("cmdstat_info:calls=").nth(1).unwrap_or("0,");
    calls.split(',').next().unwrap().parse::<u32>().unwrap() > 0
}

#[track_caller]
fn expect_served(process: &ServiceProcess) {
    must_write(&process.client(), "user");
}

/// The journal's part of `/readyz`.
fn durability(process: &ServiceProcess) -> String {
    let parts = process.client().get("/readyz").json();
    parts["parts"]["journal"]["durability"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
#[ignore = "needs servers"]
fn replicas_that_no_write_waits_for_are_told() {
    let primary = Cache::start(&[]);
    let follow = ["--replicaof", "127.0.0.1", primary.server.port()];
    let replicas = [0, 1].map(|_| OwnServer::redis_with(AppendFsync::EverySecond, &follow));
    let mut admin = RedisConnection::open(primary.server.url()).unwrap();
    wait_until("both replicas are connected", || {
        let said: String = admin.ask(&["INFO", "replication"]).unwrap();
        said.matches("state=online").count() == replicas.len()
    });
    for (waited_for, is_risk) in [("0", true), ("1", true), ("2", false)] {
        let mut installation = primary.install(Service::WriteBehind);
        installation.set("REDIS_WAIT_REPLICAS", waited_for);
        let process = installation.start(Service::WriteBehind);
        let told = durability(&process);
        assert!(told.contains("2 replicas"), "{told}");
        assert_eq!(told.contains("a failover"), is_risk, "{told}");
    }
}
