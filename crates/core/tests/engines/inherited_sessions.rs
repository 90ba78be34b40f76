//! On a database whose defaults would keep what is answered uncommitted.

use std::time::Duration;

use cache_core::engine::{Engine, Outcome};
use testkit::own_servers::OwnServer;
use testkit::servers::TestDatabase;

use crate::parts::{Place, put};

const WRITES: usize = 40;

async fn write(engine: &dyn Engine, prefix: &str) {
    for number in 0..WRITES {
        let written = engine.write(put(&format!("{prefix} {number}"), 7)).await;
        assert!(
            matches!(written, Ok(Outcome::Written { .. })),
            "{written:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn acknowledged_writes_are_committed_whatever_the_defaults() {
    let server = OwnServer::database();
    for default in ["autocommit = 0", "completion_type = 1"] {
        let database = TestDatabase::create_on(server.url());
        database.query_rows(&format!("SET GLOBAL {default}"));
        let place = Place::Servers(database);
        let parts = place.open().await;
        write(&*parts.write_through().await, "through").await;
        let behind = parts.write_behind().await;
        write(&*behind, "behind").await;
        assert!(behind.flush(Duration::from_secs(30)).await.unwrap());
        // While the connections are open: nothing is committed by their end.
        let Place::Servers(database) = &place else {
            panic!("these are servers");
        };
        let rows = database.query_rows("SELECT COUNT(*) FROM users");
        assert_eq!(rows, [[(2 * WRITES).to_string()]], "with {default}");
    }
}
