//! A primary that is cut off, with a service beside it, from its replica, the Sentinels and everything else.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::{Client, user_path};
use testkit::own_servers::OwnSentinels;
use testkit::parts::Installation;
use testkit::proxy::{ChaosProxy, authority};
use testkit::servers::TestDatabase;
use testkit::service::Service;
use testkit::wait::wait_until;

const NAME: &str = "Ann";
const READ_INTERVAL: Duration = Duration::from_millis(1);
const TIME_TO_READ: Duration = Duration::from_secs(1);

fn put(client: &Client, value: u64) -> bool {
    let user = json!({ "age": 30, "occupation": value.to_string() });
    client.put_json(&user_path(NAME), &user).status == 200
}

fn read(client: &Client) -> Option<u64> {
    let answer = client.get(&user_path(NAME));
    let value = |user: Value| user["occupation"].as_str()?.parse().ok();
    (answer.status == 200).then(|| value(answer.json()).expect("a value"))
}

/// Ends the reader, also when the test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Nothing is read that is older than what was acknowledged on the other side before.
#[test]
#[ignore = "needs servers"]
fn a_service_beside_a_primary_that_was_cut_off_reads_nothing_stale() {
    let (sentinels, to_primary) = OwnSentinels::behind_a_proxy(1);
    let to_sentinels: Vec<ChaosProxy> = sentinels.sentinels().map(ChaosProxy::before).collect();
    let mut installation = Installation::on(
        Service::WriteBehind,
        &sentinels.url(),
        TestDatabase::create(),
    );
    let outside = installation.start(Service::WriteBehind);
    let proxies = sentinels.sentinels().zip(&to_sentinels);
    let proxied: Vec<(String, String)> = proxies
        .map(|(url, proxy)| (url.to_owned(), authority(&proxy.url(url)).to_owned()))
        .collect();
    let through_proxies = sentinels.url_through(|url| {
        let known = proxied.iter().find(|(of, _)| of == url);
        known.expect("a proxy").1.clone()
    });
    installation.set("CACHE_URL", &through_proxies);
    let beside = installation.start(Service::WriteBehind);
    let (outside, beside) = (outside.client(), beside.client());
    wait_until("it is written", || put(&outside, 1));
    wait_until("it is read", || read(&beside) == Some(1));

    to_sentinels.iter().for_each(ChaosProxy::cut);
    to_primary.cut_for_servers();
    let acknowledged = AtomicU64::new(1);
    let has_ended = AtomicBool::new(false);
    let (answered, refused) = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut answered, mut refused) = (0, 0);
            while !has_ended.load(Ordering::Acquire) {
                let oldest = acknowledged.load(Ordering::Acquire);
                match read(&beside) {
                    Some(value) => {
                        assert!(
                            value >= oldest,
                            "read {value}, {oldest} was acknowledged before"
                        );
                        answered += 1;
                    }
                    None => refused += 1,
                }
                thread::sleep(READ_INTERVAL);
            }
            (answered, refused)
        });
        let ends = Ends(&has_ended);
        // It writes to the former primary until it hears of the new one, and waits there.
        let mut next = 2;
        let mut has_waited = false;
        wait_until("the other side goes on", || {
            let goes_on = put(&outside, next);
            has_waited |= !goes_on;
            if goes_on {
                acknowledged.store(next, Ordering::Release);
                next += 1;
            }
            goes_on && has_waited
        });
        // The reader is given the time in which it would read something stale.
        thread::sleep(TIME_TO_READ);
        drop(ends);
        reader.join().expect("what was read")
    });
    assert!(answered > 0, "it has read before its lease ended");
    assert!(refused > 0, "it reads no more in the end");
    assert!(
        !put(&beside, u64::MAX),
        "a write on the side that was cut off"
    );
}
