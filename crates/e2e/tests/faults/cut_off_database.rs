//! Two processes on one Redis, one of which does not reach the database: the other one drains.

use testkit::http::{Client, user_path};
use testkit::parts::{Installation, Parts};
use testkit::proxy::ChaosProxy;
use testkit::service::{Service, ServiceProcess};
use testkit::wait::wait_until;

use crate::comparison::flush;
use crate::writers::record;

const LEASE_MS: &str = "1500";
/// Soon after this a process gives up on a database that does not answer.
const DATABASE_TIMEOUT_MS: &str = "2000";
/// The log line of a process that leaves its shards.
const LEFT: &str = "the database takes nothing from this process";
/// So many that each process has a share.
const SHARDS: u16 = 16;
/// In every shard.
const NAMES: usize = 60;

/// A way to take the database from a process: what begins it, and what ends it.
type Loss = (fn(&ChaosProxy), fn(&ChaosProxy));

/// The connections end, and there are no new ones.
const CUT: Loss = (ChaosProxy::cut, ChaosProxy::restore);
/// The connections stay, and nothing that is sent arrives.
const HELD: Loss = (ChaosProxy::hold, ChaosProxy::release);

fn install() -> Installation {
    let mut installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    installation.set("LEASE_MS", LEASE_MS);
    installation.set("DATABASE_TIMEOUT_MS", DATABASE_TIMEOUT_MS);
    installation.spread_over(SHARDS);
    installation
}

/// A process whose database is behind a proxy.
fn start_behind_a_proxy(installation: &Installation) -> (ServiceProcess, ChaosProxy) {
    let url = installation.setting("DATABASE_URL").unwrap().to_owned();
    let proxy = ChaosProxy::before(&url);
    let proxied = proxy.url(&url);
    let settings = installation.settings();
    let env: Vec<(&str, &str)> = settings.chain([("DATABASE_URL", &*proxied)]).collect();
    let process = ServiceProcess::start_in(installation.folder(), Service::WriteBehind, &env);
    (process, proxy)
}

fn put_all(client: &Client, number: u64) {
    for name in 0..NAMES {
        let name = format!("user {name}");
        let answer = client.put_json(&user_path(&name), &record(&name, number));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

fn are_in_the_database(installation: &Installation, number: u64) -> bool {
    let of_number = format!("SELECT COUNT(*) FROM users WHERE occupation = 'number {number}'");
    let rows = installation.database().unwrap().query_rows(&of_number);
    rows.concat().concat() == NAMES.to_string()
}

/// How many shards each process holds, most first.
fn holders(client: &Client) -> Vec<usize> {
    let journal = client.get("/journal").json();
    let shards = journal["shards"].as_array().unwrap();
    let mut held = std::collections::BTreeMap::<String, usize>::new();
    for holder in shards
        .iter()
        .filter_map(|shard| shard["lease_holder"].as_str())
    {
        *held.entry(holder.to_owned()).or_default() += 1;
    }
    let mut held: Vec<usize> = held.into_values().collect();
    held.sort_unstable_by(|a, b| b.cmp(a));
    held
}

fn is_shared(client: &Client) -> bool {
    let held = holders(client);
    held.len() == 2 && held.iter().sum::<usize>() == usize::from(SHARDS)
}

fn the_other_drains((begin, end): Loss) {
    let installation = install();
    let (cut_off, proxy) = start_behind_a_proxy(&installation);
    let healthy = installation.start(Service::WriteBehind);
    let clients = [cut_off.client(), healthy.client()];
    wait_until("both hold shards", || is_shared(&clients[1]));
    begin(&proxy);
    put_all(&clients[0], 1);
    wait_until("the other one drains all", || {
        are_in_the_database(&installation, 1)
    });
    put_all(&clients[1], 2);
    wait_until("the other one drains all", || {
        are_in_the_database(&installation, 2)
    });
    assert!(cut_off.logs().contains(LEFT));
    end(&proxy);
    wait_until("both hold shards again", || is_shared(&clients[1]));
    put_all(&clients[0], 3);
    flush(healthy.base_url());
    assert!(are_in_the_database(&installation, 3));
}

#[test]
#[ignore = "needs servers"]
fn a_process_cut_off_from_the_database_leaves_its_shards() {
    the_other_drains(CUT);
}

#[test]
#[ignore = "needs servers"]
fn a_process_whose_database_hangs_leaves_its_shards() {
    the_other_drains(HELD);
}

/// Reads there still succeed.
#[test]
#[ignore = "needs servers"]
fn a_process_that_may_only_read_the_database_leaves_its_shards() {
    let installation = install();
    let database = installation.database().unwrap();
    let (name, url) = (database.name(), database.url());
    let user = format!("'{name}'@'127.0.0.1'");
    database.query_rows(&format!("CREATE USER {user} IDENTIFIED BY 'service'"));
    database.query_rows(&format!("GRANT ALL ON `{name}`.* TO {user}"));
    let own = testkit::servers::without_socket(&url);
    let own = own.replace("root:root@", &format!("{name}:service@"));
    let settings = installation.settings();
    let env: Vec<(&str, &str)> = settings.chain([("DATABASE_URL", &*own)]).collect();
    let reader = ServiceProcess::start_in(installation.folder(), Service::WriteBehind, &env);
    let healthy = installation.start(Service::WriteBehind);
    let client = healthy.client();
    wait_until("both hold shards", || is_shared(&client));
    database.query_rows(&format!("REVOKE ALL ON `{name}`.* FROM {user}"));
    database.query_rows(&format!("GRANT SELECT ON `{name}`.* TO {user}"));
    // An open connection keeps the rights on its database.
    for connection in database.connections() {
        database.kill(&connection);
    }
    put_all(&reader.client(), 1);
    wait_until("the other one drains all", || {
        are_in_the_database(&installation, 1)
    });
    database.query_rows(&format!("GRANT ALL ON `{name}`.* TO {user}"));
    wait_until("both hold shards again", || is_shared(&client));
    drop(reader);
    database.query_rows(&format!("DROP USER {user}"));
}

/// As when the database is unavailable: there is no process to leave them to.
#[test]
#[ignore = "needs servers"]
fn the_only_process_keeps_its_shards_without_the_database() {
    let installation = install();
    let (process, proxy) = start_behind_a_proxy(&installation);
    let client = process.client();
    wait_until("it holds all shards", || {
        holders(&client) == [usize::from(SHARDS)]
    });
    proxy.cut();
    put_all(&client, 1);
    let lease_ms: f64 = LEASE_MS.parse().unwrap();
    wait_until("drains have failed for some leases", || {
        let journal = client.get("/journal").json();
        assert_eq!(holders(&client), [usize::from(SHARDS)]);
        journal["oldest_age_ms"].as_f64().unwrap() > 4.0 * lease_ms
    });
    proxy.restore();
    wait_until("all is in the database", || {
        are_in_the_database(&installation, 1)
    });
}

/// Neither leaves the other with shards that it cannot drain for good.
#[test]
#[ignore = "needs servers"]
fn of_two_processes_without_the_database_the_first_to_reach_it_drains() {
    let installation = install();
    let (one, one_proxy) = start_behind_a_proxy(&installation);
    let (other, other_proxy) = start_behind_a_proxy(&installation);
    let clients = [one.client(), other.client()];
    wait_until("both hold shards", || is_shared(&clients[1]));
    for (number, back) in (1..).zip([&one_proxy, &other_proxy]) {
        one_proxy.cut();
        other_proxy.cut();
        put_all(&clients[0], number);
        wait_until("one of them has them all", || {
            holders(&clients[0]) == [usize::from(SHARDS)]
        });
        back.restore();
        wait_until("it drains all", || {
            are_in_the_database(&installation, number)
        });
        one_proxy.restore();
        other_proxy.restore();
        wait_until("both hold shards again", || is_shared(&clients[1]));
    }
}
