//! Readers of write-through-svc whose Redis restarts while nothing is written.

use testkit::http::user_path;
use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::parts::Installation;
use testkit::servers::TestDatabase;
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::writers::record;

const HIT: &str = "write-through; hit";
const BYPASS: &str = "write-through; fwd=bypass; detail=bypass";

/// It must not take a write to find out that the cache is another one.
#[test]
#[ignore = "needs servers"]
fn a_restarted_redis_is_used_again_without_writes() {
    let mut redis = OwnServer::redis(AppendFsync::Always, "0");
    let database = TestDatabase::create();
    let installation = Installation::on(Service::WriteThrough, redis.url(), database);
    let running = installation.run();
    let client = running.client();
    let path = user_path("read");
    let written = client.put_json(&path, &record("read", 1));
    assert_eq!(written.status, 200, "{}", written.text());
    let source = || {
        let read = client.get(&path);
        assert_eq!(read.status, 200, "{}", read.text());
        assert_eq!(read.header("ETag"), written.header("ETag"));
        read.header("Cache-Status").map(str::to_owned)
    };
    assert_eq!(source().as_deref(), Some(HIT));
    for _ in 0..2 {
        redis.kill_9();
        assert_eq!(source().as_deref(), Some(BYPASS));
        redis.restart();
        wait_until("the cache is used again", || {
            source().as_deref() == Some(HIT)
        });
    }
}
