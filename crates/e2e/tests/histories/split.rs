//! A primary that is cut off, with a service beside it, from its replica, the Sentinels and everything else.

use std::sync::atomic::{AtomicU64, AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use testkit::http::{Client, user_path};
use testkit::own_servers::OwnSentinels;
use testkit::parts::Installation;
use testkit::proxy::{ChaosProxy, authority};
use testkit::servers::TestDatabase;
use testkit::service::Service;
use testkit::wait::wait_until;

const NAME: &str = "Ann";

fn put(client: &Client, age: u64) -> bool {
    let user = json!({ "age": age, "occupation": "Tester" });
    client.put_json(&user_path(NAME), &user).status == 200
}

fn age(client: &Client) -> Option<u64> {
    let answer = client.get(&user_path(NAME));
    (answer.status == 200).then(|| answer.json()["age"].as_u64().expect("an age"))
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
    wait_until("it is read", || age(&beside) == Some(1));

    to_sentinels.iter().for_each(ChaosProxy::cut);
    to_primary.cut_for_servers();
    let acknowledged = AtomicU64::new(1);
    let has_ended = AtomicBool::new(false);
    let (reads_before, reads_after) = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut answered, mut refused) = (0, 0);
            while !has_ended.load(Ordering::Acquire) {
                let oldest = acknowledged.load(Ordering::Acquire);
                match age(&beside) {
                    Some(age) => {
                        assert!(age >= oldest, "read {age} after {oldest} was acknowledged");
                        answered += 1;
                    }
                    None => refused += 1,
                }
                thread::sleep(Duration::from_millis(1));
            }
            (answered, refused)
        });
        wait_until("the other side goes on", || {
            let goes_on = put(&outside, 2);
            if goes_on {
                acknowledged.store(2, Ordering::Release);
            }
            goes_on
        });
        // The reader is given the time in which it would read something stale.
        thread::sleep(Duration::from_secs(2));
        has_ended.store(true, Ordering::Release);
        reader.join().expect("what was read")
    });
    assert!(reads_before > 0, "it has read before its lease ended");
    assert!(reads_after > 0, "it reads no more in the end");
    assert!(!put(&beside, 3), "a write on the side that was cut off");
}
