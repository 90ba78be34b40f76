//! A primary of a test's own with replicas, and three Sentinels that watch them.

use std::collections::HashMap;

use super::{AppendFsync, OwnServer};
use crate::proxy::{ChaosProxy, authority};
use crate::redis_connection::RedisConnection;
use crate::wait::wait_until;

/// The name by which the Sentinels know the primary.
const NAME: &str = "main";
/// How many Sentinels have to count the primary as down.
const QUORUM: usize = 2;
const SENTINELS: usize = 3;
/// How long the primary may be silent.
const DOWN_AFTER_MS: u32 = 1000;
/// After how long a failover is tried again.
const FAILOVER_TIMEOUT_MS: u32 = 5000;

/// Redis servers and the Sentinels that watch them. The first server is the primary at the start.
#[derive(Debug)]
pub struct OwnSentinels {
    /// The servers.
    pub servers: Vec<OwnServer>,
    sentinels: Vec<OwnServer>,
}

impl OwnSentinels {
    /// A primary with so many replicas, all of which the Sentinels know.
    pub fn start(replicas: usize) -> Self {
        let primary = OwnServer::redis_with(AppendFsync::BySystem, NO_DELAY);
        let address = authority(primary.url()).to_owned();
        OwnSentinels::around(primary, &address, replicas, None)
    }

    /// The same, where Sentinels and replicas reach the primary through a proxy, and so do the clients that ask
    /// the Sentinels.
    pub fn behind_a_proxy(replicas: usize) -> (Self, ChaosProxy) {
        let primary = OwnServer::redis_with(AppendFsync::BySystem, NO_DELAY);
        let proxy = ChaosProxy::before(primary.url());
        let address = authority(&proxy.url(primary.url())).to_owned();
        let sentinels = OwnSentinels::around(primary, &address, replicas, None);
        (sentinels, proxy)
    }

    /// A primary without replicas, and Sentinels that want this password.
    pub fn with_password(password: &str) -> Self {
        let primary = OwnServer::redis_with(AppendFsync::BySystem, NO_DELAY);
        let address = authority(primary.url()).to_owned();
        OwnSentinels::around(primary, &address, 0, Some(password))
    }

    fn around(primary: OwnServer, address: &str, replicas: usize, password: Option<&str>) -> Self {
        let (host, port) = address.split_once(':').expect("host and port");
        let mut servers = vec![primary];
        for _ in 0..replicas {
            let options = [NO_DELAY, &["--replicaof", host, port]].concat();
            servers.push(OwnServer::redis_with(AppendFsync::BySystem, &options));
        }
        let mut configuration = vec![
            format!("sentinel monitor {NAME} {host} {port} {QUORUM}"),
            format!("sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}"),
            format!("sentinel failover-timeout {NAME} {FAILOVER_TIMEOUT_MS}"),
        ];
        if let Some(password) = password {
            configuration.push(format!("requirepass {password}"));
            configuration.push(format!("sentinel sentinel-pass {password}"));
        }
        let login = password.map(|password| format!(":{password}@"));
        let login = login.unwrap_or_default();
        let configuration = configuration.join("\n") + "\n";
        let sentinels = (0..SENTINELS).map(|_| OwnServer::sentinel_with(&configuration, &login));
        let all = OwnSentinels {
            sentinels: sentinels.collect(),
            servers,
        };
        all.wait_until_known(replicas);
        all
    }

    /// `redis+sentinel://HOST:PORT,…/NAME`.
    pub fn url(&self) -> String {
        self.url_through(|sentinel| authority(sentinel).to_owned())
    }

    /// The same with other addresses of the Sentinels.
    pub fn url_through(&self, address: impl Fn(&str) -> String) -> String {
        let addresses: Vec<String> = self
            .sentinels
            .iter()
            .map(|sentinel| address(sentinel.url()))
            .collect();
        format!("redis+sentinel://{}/{NAME}", addresses.join(","))
    }

    /// The URLs of the Sentinels.
    pub fn sentinels(&self) -> impl Iterator<Item = &str> {
        self.sentinels.iter().map(OwnServer::url)
    }

    /// The place in `servers` of the primary that all Sentinels name. `None` while they do not agree, or name a proxy.
    pub fn primary(&self) -> Option<usize> {
        let named: Vec<String> = self.sentinels().map(primary_port).collect();
        let agreed = named.iter().all(|port| *port == named[0]);
        let mut servers = self.servers.iter();
        agreed.then(|| servers.position(|server| server.port() == named[0]))?
    }

    /// Waits until all Sentinels name another primary than this one.
    pub fn wait_for_another_primary(&self, before: usize) -> usize {
        let mut now = None;
        wait_until("another primary", || {
            now = self.primary().filter(|now| *now != before);
            now.is_some()
        });
        now.expect("it was waited for")
    }

    /// Exchanges the primary by the Sentinels, while it runs. Returns the new one.
    pub fn fail_over(&self) -> usize {
        let before = self.primary().expect("a primary");
        wait_until("a failover begins", || {
            // Refused while one is under way, and while no replica is good enough.
            is_told(self.sentinels[0].url(), &["SENTINEL", "FAILOVER", NAME])
        });
        self.wait_for_another_primary(before)
    }

    /// Starts a server again that was killed, as a replica of the present primary.
    pub fn rejoin(&mut self, server: usize) {
        let primary = self.primary().expect("a primary");
        let port = self.servers[primary].port().to_owned();
        self.servers[server].restart();
        let follow = ["REPLICAOF", "127.0.0.1", &port];
        assert!(is_told(self.servers[server].url(), &follow));
    }

    /// Kills so many of the three Sentinels.
    pub fn kill_sentinels(&mut self, count: usize) {
        self.sentinels[..count]
            .iter_mut()
            .for_each(OwnServer::kill_9);
    }

    /// Starts the Sentinels again that were killed.
    pub fn restart_sentinels(&mut self) {
        for sentinel in &mut self.sentinels {
            if sentinel.child.is_none() {
                sentinel.restart();
            }
        }
    }

    /// Waits until each Sentinel counts this server, a replica, as down.
    pub fn wait_until_down(&self, server: usize) {
        let port = self.servers[server].port().to_owned();
        for sentinel in self.sentinels() {
            wait_until("a Sentinel counts the replica as down", || {
                let rows = rows(sentinel, "REPLICAS");
                let mut of_server = rows.iter().filter(|row| row["port"] == port);
                of_server.any(|row| row["flags"].contains("s_down"))
            });
        }
    }

    /// Waits until each Sentinel knows the others and so many replicas that are up.
    pub fn wait_until_known(&self, replicas: usize) {
        for sentinel in self.sentinels() {
            wait_until("a Sentinel knows all", || {
                let others = rows(sentinel, "SENTINELS");
                let followers = rows(sentinel, "REPLICAS");
                let up = followers
                    .iter()
                    .filter(|row| row["flags"] == "slave" && row["master-link-status"] == "ok");
                others.len() == SENTINELS - 1 && up.count() == replicas
            });
        }
    }
}

const NO_DELAY: &[&str] = &["--repl-diskless-sync-delay", "0"];

/// Whether a server has done what it was told.
fn is_told(url: &str, words: &[&str]) -> bool {
    RedisConnection::open(url)
        .and_then(|mut redis| redis.command(words))
        .is_ok()
}

/// The port of the primary that a Sentinel names.
fn primary_port(sentinel: &str) -> String {
    let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
    let named = RedisConnection::open(sentinel).and_then(|mut redis| redis.ask(&words));
    let (_, port): (String, String) = named.expect("a Sentinel");
    port
}

/// What `SENTINEL what` answers about each server.
fn rows(sentinel: &str, what: &str) -> Vec<HashMap<String, String>> {
    let words = ["SENTINEL", what, NAME];
    let rows = RedisConnection::open(sentinel).and_then(|mut redis| redis.ask(&words));
    rows.expect("a Sentinel")
}
