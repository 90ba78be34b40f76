//! A Redis that a service does not trust: it ends at once, whether it could do without Redis or not.

use testkit::certificates::{Authority, Validity};
use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::parts::Installation;
use testkit::servers::TestDatabase;
use testkit::service::Service;

use crate::site::{Clients, HOSTS, TlsRedis, expect_ended_at_once};

/// A service that reaches the tests' database without TLS.
fn install(service: Service, url: &str, ca_file: &str) -> Installation {
    let mut installation = Installation::on(service, url, TestDatabase::create());
    if !ca_file.is_empty() {
        installation.set("CACHE_CA_FILE", ca_file);
    }
    installation.set("STARTUP_DEADLINE_S", "50");
    installation
}

#[track_caller]
fn expect_refused(redis: &TlsRedis, ca_file: &str, reason: &str) {
    for service in Service::all() {
        let port = redis.port;
        expect_ended_at_once(
            &install(service, &redis.url(), ca_file),
            &format!("the certificate of the cache at 127.0.0.1:{port} {reason}"),
        );
    }
}

/// A Redis with a certificate of `other`, which a client refuses that trusts `own`.
#[track_caller]
fn expect_other_refused(own: &Authority, other: &Authority) -> TlsRedis {
    let files = other.server(&HOSTS, Validity::Valid);
    let redis = TlsRedis::start(other, files, Clients::Anybody);
    let reason = "is not signed by a CA in CACHE_CA_FILE";
    expect_refused(&redis, own.ca_file(), reason);
    redis
}

#[test]
#[ignore = "needs servers"]
fn one_of_another_ca() {
    let redis = expect_other_refused(&Authority::new("own"), &Authority::new("other"));
    // The system's CAs are none of both.
    let reason = "is not signed by a public CA (a private one goes into CACHE_CA_FILE)";
    expect_refused(&redis, "", reason);
}

#[test]
#[ignore = "needs servers"]
fn one_of_another_ca_of_the_same_name() {
    expect_other_refused(&Authority::new("same"), &Authority::new("same"));
}

#[test]
#[ignore = "needs servers"]
fn one_for_another_host() {
    let authority = Authority::new("own");
    let files = authority.server(&["elsewhere.example"], Validity::Valid);
    let redis = TlsRedis::start(&authority, files, Clients::Anybody);
    expect_refused(
        &redis,
        authority.ca_file(),
        "is not for the host name 127.0.0.1",
    );
}

#[test]
#[ignore = "needs servers"]
fn one_that_has_expired() {
    let authority = Authority::new("own");
    let files = authority.server(&HOSTS, Validity::Expired);
    let redis = TlsRedis::start(&authority, files, Clients::Anybody);
    expect_refused(&redis, authority.ca_file(), "has expired");
}

#[test]
#[ignore = "needs servers"]
fn one_that_does_not_speak_tls() {
    let authority = Authority::new("own");
    let redis = OwnServer::redis_with(AppendFsync::EverySecond, &[]);
    let url = redis.url().replace("redis://", "rediss://");
    for service in Service::all() {
        expect_ended_at_once(
            &install(service, &url, authority.ca_file()),
            &format!("the cache at 127.0.0.1:{} does not speak TLS", redis.port()),
        );
    }
}
