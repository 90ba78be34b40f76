//! A journal that is full: writes are refused until it has room, and nothing that was acknowledged is lost.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::http::{Client, Response, user_path};
use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::parts::{Installation, Parts, RunningService};
use testkit::proxy::ChaosProxy;
use testkit::redis_connection::RedisConnection;
use testkit::servers::TestDatabase;
use testkit::service::{Service, run_to_end};

use crate::comparison::{compare, flush};
use crate::endpoints::{Caller, Endpoints};
use crate::eviction::used_bytes;
use crate::ledger::Ledger;
use crate::readers::seen;
use crate::seed::Seed;
use crate::workload::{Load, Workload};
use crate::writers::{Writer, record};
use testkit::wait::wait_until;

const LIMIT: u64 = 600;

/// A service whose database becomes unavailable by a cut of the proxy.
fn with_proxy(
    mut installation: Installation,
    settings: &[(&str, &str)],
) -> (RunningService, ChaosProxy) {
    let url = installation.setting("DATABASE_URL").unwrap().to_owned();
    let proxy = ChaosProxy::before(&url);
    installation.set("DATABASE_URL", &proxy.url(&url));
    for (name, value) in settings {
        installation.set(name, value);
    }
    (installation.run(), proxy)
}

fn put(client: &Client, name: &str) -> Response {
    client.put_json(&user_path(name), &record(name, 1))
}

#[track_caller]
fn expect_full(answer: &Response) -> u64 {
    assert_eq!(answer.status, 503, "{}", answer.text());
    let detail = answer.json()["detail"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(detail.contains("journal is full"), "{detail}");
    assert_eq!(answer.json()["type"], "/problems/backlog-full");
    let retry_after = answer.header("Retry-After").expect("Retry-After");
    let seconds = retry_after.parse().expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    seconds
}

fn figure(client: &Client, key: &str) -> u64 {
    let journal = client.get("/journal").json();
    journal[key]
        .as_u64()
        .unwrap_or_else(|| panic!("no {key} in {journal}"))
}

/// Until a limit the writes go on; at it they are refused, reads are not; then all of it is drained.
#[test]
#[ignore = "needs servers"]
fn writes_go_on_until_the_journal_is_full_and_again_when_it_has_drained() {
    let seed = Seed::of_this_run();
    let installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    let limit = LIMIT.to_string();
    let (running, proxy) = with_proxy(installation, &[("JOURNAL_ENTRIES_MAX", limit.as_str())]);
    let endpoints = Endpoints::new([running.base_url()]);
    let client = running.client();
    let workload = Workload::start(seed, &endpoints, Load::USUAL);
    workload.acknowledges(100);
    proxy.cut();
    workload.acknowledges(LIMIT / 2);
    workload.works_until("the journal is full", || {
        put(&client, "one more").status == 503
    });
    expect_full(&put(&client, "one more"));
    // Writes that were under way had reserved their room.
    workload.works_until("it has as many as it may", || {
        let depth = figure(&client, "depth");
        assert!(depth <= LIMIT, "{depth}");
        depth == LIMIT
    });
    let read = client.get(&user_path("one more"));
    assert_ne!(read.status, 503, "{}", read.text());

    proxy.restore();
    workload.works_until("there is room", || put(&client, "one more").status == 200);
    workload.acknowledges(LIMIT);
    let ledger = workload.end();
    compare(&ledger, running.base_url(), running.installation());
}

#[test]
#[ignore = "needs servers"]
fn writes_are_refused_while_the_oldest_has_waited_for_too_long() {
    let installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    let (running, proxy) = with_proxy(installation, &[("JOURNAL_AGE_MAX_S", "1")]);
    let client = running.client();
    assert_eq!(put(&client, "drained").status, 200);
    flush(running.base_url());
    // Nothing waits while nothing happens, however long.
    let idle = Instant::now();
    wait_until("a time longer than the limit", || {
        idle.elapsed() > Duration::from_secs(2)
    });
    proxy.cut();
    assert_eq!(put(&client, "old").status, 200);
    assert_eq!(put(&client, "young").status, 200);
    wait_until("the oldest is too old", || {
        put(&client, "late").status == 503
    });
    expect_full(&put(&client, "late"));
    assert!(figure(&client, "oldest_age_ms") >= 1_000);
    proxy.restore();
    flush(running.base_url());
    assert_eq!(put(&client, "late").status, 200);
    for name in ["drained", "old", "young"] {
        assert_eq!(client.get(&user_path(name)).json(), record(name, 1));
    }
}

#[test]
#[ignore = "needs servers"]
fn a_journal_with_too_many_bytes_is_full() {
    let installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    let settings = [("JOURNAL_BYTES_MAX", "100000")];
    let (running, proxy) = with_proxy(installation, &settings);
    let client = running.client();
    proxy.cut();
    let mut written = 0;
    wait_until("it is full", || {
        written += 1;
        put(&client, &format!("{written}")).status == 503
    });
    expect_full(&put(&client, "one more"));
    let bytes = figure(&client, "bytes");
    assert!((75_000..115_000).contains(&bytes), "{bytes}");
    proxy.restore();
    flush(running.base_url());
    assert_eq!(put(&client, "one more").status, 200);
}

/// Puts users of about 1 kB from several clients at once until one is refused.
fn put_together(client: &Client) {
    let put_until_refused = |writer: usize| {
        for number in 0.. {
            let path = user_path(&format!("{writer} {number}"));
            let user = json!({ "age": 30, "occupation": "😀".repeat(255) });
            let answer = client.put_json(&path, &user);
            if answer.status != 200 {
                expect_full(&answer);
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for writer in 0..32 {
            scope.spawn(move || put_until_refused(writer));
        }
    });
}

#[test]
#[ignore = "needs servers"]
fn writes_that_arrive_together_keep_to_the_byte_bound() {
    // Redis takes memory in steps of some kilobytes a shard, and its figures are read only now and then.
    for (parts, bytes_max, most) in [
        (Parts::Embedded, 100_000, 100_000),
        (Parts::RedisMariaDb, 1_000_000, 1_400_000),
    ] {
        let mut installation = parts.install(Service::WriteBehind);
        installation.set("JOURNAL_BYTES_MAX", &bytes_max.to_string());
        installation.set("FAULT_POINTS", "drain.applied=wait:3600000");
        let running = installation.run();
        put_together(&running.client());
        let bytes = figure(&running.client(), "bytes");
        assert!(
            (bytes_max / 2..=most).contains(&bytes),
            "{parts:?}: {bytes}"
        );
    }
}

/// Whatever Redis has no room for is refused, and draining makes room although Redis is out of memory.
#[test]
#[ignore = "needs servers"]
fn a_redis_that_is_out_of_memory_is_a_full_journal() {
    let seed = Seed::of_this_run();
    let redis = OwnServer::redis(AppendFsync::EverySecond, "0");
    let installation = Installation::on(Service::WriteBehind, redis.url(), TestDatabase::create());
    let (running, proxy) = with_proxy(installation, &[("CACHE_TTL_S", "1"), ("LEASE_MS", "600")]);
    let client = running.client();
    let mut admin = RedisConnection::open(redis.url()).expect("Redis");
    let endpoints = Endpoints::new([running.base_url()]);
    let mut writer = Writer {
        caller: Caller::new(&endpoints, 0, Load::USUAL.wait_timeout),
        choices: seed.choices(0),
        names: (0..Load::USUAL.names).collect(),
        may_come_late: false,
        pause: Duration::ZERO,
    };
    let ledger = Ledger::new(Load::USUAL.names);
    writer.put_each(&ledger);
    proxy.cut();
    writer.put_each(&ledger);
    let limit = (used_bytes(&mut admin) + 400_000).to_string();
    admin
        .command(&["CONFIG", "SET", "maxmemory", &limit])
        .expect("a limit");
    let big = |number: u64| json!({ "age": number % 150, "occupation": "😀".repeat(255) });
    let mut refused = 0;
    let mut refusal = None;
    wait_until("Redis is out of memory", || {
        refused += 1;
        let answer = client.put_json(&user_path(&format!("big {refused}")), &big(refused));
        let is_refused = answer.status == 503;
        refusal = Some(answer);
        is_refused
    });
    // Not asked once more: what expires may make room at any time.
    expect_full(&refusal.expect("an answer"));
    let depth = figure(&client, "depth");
    assert!(depth > 0);

    // Leases are renewed and entries drained in spite of it.
    proxy.restore();
    wait_until("there is room", || {
        client.put_json(&user_path("big"), &big(7)).status == 200
    });
    flush(running.base_url());
    let rows = running.database().unwrap();
    let rows = rows.query_rows("SELECT COUNT(*) FROM users WHERE name LIKE 'big %'");
    assert_eq!(
        rows[0][0],
        (refused - 1).to_string(),
        "what was acknowledged is there"
    );
    for (number, name) in ledger.names().iter().enumerate() {
        let before = ledger.read_begins(number);
        let answer = client.get(&user_path(name));
        let seen = seen(&ledger, name, &answer).expect("an answer");
        ledger.read_ended(number, before, seen);
    }
    ledger.expect_no_offence();
}

#[test]
#[ignore = "needs servers"]
fn a_redis_that_may_evict_the_journal_is_refused_and_the_setting_named() {
    let redis = OwnServer::redis(AppendFsync::EverySecond, "0");
    let mut admin = RedisConnection::open(redis.url()).expect("Redis");
    let installation = Installation::on(Service::WriteBehind, redis.url(), TestDatabase::create());
    for (policy, is_fine) in [
        ("allkeys-lru", false),
        ("allkeys-random", false),
        ("volatile-lru", true),
        ("noeviction", true),
    ] {
        admin
            .command(&["CONFIG", "SET", "maxmemory-policy", policy])
            .expect("a policy");
        if is_fine {
            let service = installation.start(Service::WriteBehind);
            assert_eq!(put(&service.client(), policy).status, 200);
        } else {
            let output = run_to_end(installation.command().env("LISTEN", "127.0.0.1:0"));
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(64), "{said}");
            for word in ["maxmemory-policy", policy, "noeviction"] {
                assert!(said.contains(word), "{said}");
            }
            let database = installation.database().unwrap();
            let relied_on_by = database.query_rows("SELECT process FROM cache_members");
            assert_eq!(relied_on_by, Vec::<Vec<String>>::new());
            let bindings: Vec<String> = admin.ask(&["KEYS", "wc:*:binding"]).expect("keys");
            assert!(bindings.is_empty(), "it is bound");
        }
    }
}
