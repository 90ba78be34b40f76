//! Losses that lead to no failover: of the replica, and of the Sentinels.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::http::{Client, user_path};
use testkit::own_servers::OwnSentinels;
use testkit::parts::Installation;
use testkit::servers::TestDatabase;
use testkit::service::Service;
use testkit::wait::wait_until;

/// Longer than a registration lasts.
const OUTLASTS_A_REGISTRATION: Duration = Duration::from_secs(7);
const PAUSE: Duration = Duration::from_millis(50);

fn put(client: &Client) -> u16 {
    let user = json!({ "age": 30, "occupation": "Engineer" });
    client.put_json(&user_path("Ann"), &user).status
}

#[track_caller]
fn writes_go_on(client: &Client) {
    let end = Instant::now() + OUTLASTS_A_REGISTRATION;
    while Instant::now() < end {
        assert_eq!(put(client), 200);
        thread::sleep(PAUSE);
    }
}

#[test]
#[ignore = "needs servers"]
fn a_lost_replica_or_lost_sentinels_stop_no_writes_and_both_together_do() {
    let mut sentinels = OwnSentinels::start(1);
    let installation = Installation::on(
        Service::WriteBehind,
        &sentinels.url(),
        TestDatabase::create(),
    );
    let service = installation.start(Service::WriteBehind);
    let client = service.client();
    let works = |what: &str| wait_until(what, || put(&client) == 200);
    works("it writes");

    sentinels.kill_sentinels(3);
    writes_go_on(&client);
    sentinels.restart_sentinels();
    sentinels.wait_until_known(1);

    sentinels.servers[1].kill_9();
    sentinels.wait_until_down(1);
    works("it writes without the replica");
    writes_go_on(&client);

    // The one that is left cannot say that the replica was not promoted.
    sentinels.kill_sentinels(2);
    wait_until("it writes no more", || put(&client) == 503);
    sentinels.restart_sentinels();
    works("it writes again");
}
