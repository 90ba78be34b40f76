//! A server whose sessions cannot be brought into their state.

use cache_core::error::Error;
use cache_core::store::{Origin, Store};
use testkit::own_servers::OwnServer;

use crate::records::user;
use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_start_names_the_variable_that_the_server_keeps() {
    // It takes a larger value for this one, without an error.
    let server = OwnServer::database_with(&["--maximum-wait-timeout=45"]);
    let site = Site::on(server.url());
    match site.try_open().await {
        Err(Error::BadSetting { key, reason }) => {
            assert_eq!(key, "DATABASE_URL");
            let said = "wait_timeout is 45 and has to be 60";
            assert!(reason.contains(said), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert!(site.database.query_rows("SHOW TABLES").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_later_connection_in_a_wrong_state_is_not_used() {
    let server = OwnServer::database();
    let site = Site::on(server.url());
    let store = site.open().await;
    store.apply(&[user("a", 1)], Origin::Drained).await.unwrap();
    let packet = site
        .database
        .query_rows("SELECT @@max_allowed_packet")
        .concat()
        .concat();
    site.database
        .query_rows("SET GLOBAL max_allowed_packet = 1048576");
    site.end_connections();
    let refused = store.apply(&[user("a", 2)], Origin::Drained).await;
    let Err(Error::Unavailable { reason, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(reason.contains("max_allowed_packet is 1048576"), "{reason}");
    site.database
        .query_rows(&format!("SET GLOBAL max_allowed_packet = {packet}"));
    store.apply(&[user("a", 3)], Origin::Drained).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_broken_init_connect_is_named() {
    let server = OwnServer::database();
    let site = Site::on(server.url());
    site.database
        .query_rows("SET GLOBAL init_connect = 'SET nonsense = 1'");
    let said = site.try_open().await.unwrap_err().to_string();
    assert!(said.contains("init_connect"), "{said}");
    site.database.query_rows("SET GLOBAL init_connect = ''");
    site.open().await;
}
