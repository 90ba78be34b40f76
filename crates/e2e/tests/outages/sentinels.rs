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
    let on = |service| Installation::on(service, &sentinels.url(), TestDatabase::create());
    let (behind, through) = (on(Service::WriteBehind), on(Service::WriteThrough));
    let behind = behind.start(Service::WriteBehind);
    let through = through.start(Service::WriteThrough);
    let (behind, through) = (behind.client(), through.client());
    let both_write = |what: &str| {
        for client in [&behind, &through] {
            wait_until(what, || put(client) == 200);
        }
    };
    both_write("it writes");

    sentinels.kill_sentinels(3);
    writes_go_on(&behind);
    both_write("it writes without Sentinels");
    sentinels.restart_sentinels();
    sentinels.wait_until_known(1);

    sentinels.servers[1].kill_9();
    sentinels.wait_until_down(1);
    both_write("it writes without the replica");
    writes_go_on(&behind);

    for lost in [1, 3] {
        // One of these may have promoted the replica.
        sentinels.kill_sentinels(lost);
        wait_until("it writes no more", || put(&behind) == 503);
        wait_until("it bypasses Redis", || put(&through) == 200);
        sentinels.restart_sentinels();
        both_write("it writes again");
    }
}
