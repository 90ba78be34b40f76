//! A firewall drops the connections silently.

use std::time::Duration;

use cache_core::cache::Lookup;
use cache_core::journal::Journal;
use cache_core::model::version::Version;
use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::proxy::ChaosProxy;

use crate::redis_process::Process;
use crate::suite::{new_identity, put};

/// Longer than a connection is used without being asked whether it is there.
const PAUSE: Duration = Duration::from_millis(2_200);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn silent_connections_are_replaced_after_a_pause() {
    let server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let proxy = ChaosProxy::before(server.url());
    let process = Process::start(&proxy.url(server.url()), &new_identity()).await;
    process.journal.raise(&Version::ZERO).await.unwrap();
    let record = process.append(&[put("Ann", "x")]).await.remove(0);
    assert_eq!(process.get("Ann").await, Lookup::Hit(record.clone()));
    proxy.forget();
    tokio::time::sleep(PAUSE).await;
    assert_eq!(process.get("Ann").await, Lookup::Hit(record));
    process.append(&[put("Bob", "y")]).await;
    assert_eq!(process.all_waiting().await.len(), 2);
}
