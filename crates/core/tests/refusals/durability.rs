//! What a commit survives is reported as the server is set up now.

use cache_core::store::Store;
use diesel_async::SimpleAsyncConnection;
use testkit::own_servers::OwnServer;
use testkit::servers::TestDatabase;

use crate::server::{connect, open};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn durability_is_that_of_now_also_over_a_pooled_connection() {
    let server = OwnServer::database_with(&["--log-bin=binlog", "--server-id=1"]);
    let database = TestDatabase::create_on(server.url());
    // One connection, which is older than every change.
    let store = open(&database.url()).await;
    let mut admin = connect(&database.url()).await;
    for (set, survives) in [
        ("sync_binlog = 1", "survives a power loss"),
        ("sync_binlog = 0", "its binary log has not on disk"),
        (
            "innodb_flush_log_at_trx_commit = 2",
            "up to about the last second",
        ),
        (
            "innodb_flush_log_at_trx_commit = 0",
            "a crash of the server takes",
        ),
        (
            "innodb_flush_log_at_trx_commit = 1",
            "its binary log has not on disk",
        ),
        ("sync_binlog = 1", "survives a power loss"),
    ] {
        admin
            .batch_execute(&format!("SET GLOBAL {set}"))
            .await
            .unwrap();
        let durability = store.health().await.durability.unwrap();
        assert!(durability.contains(survives), "{set}: {durability}");
    }
}
