//! A server's defaults do not reach the store's sessions.

use std::sync::Arc;

use cache_core::model::decision::Decision;
use cache_core::model::record::Condition;
use cache_core::store::{Origin, Store};
use testkit::own_servers::OwnServer;

use crate::hostile;
use crate::records::{many, proposal, user};
use crate::site::Site;

/// What a hoster runs in each new session; and what a COMMIT then does besides.
const SURROUNDINGS: [(&str, u8); 3] = [
    ("", 1),
    ("SET autocommit = 0", 2),
    ("SET autocommit = 1; BEGIN", 1),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn hostile_server_defaults_lose_no_write() {
    let server = OwnServer::database();
    for (init_connect, completion_type) in SURROUNDINGS {
        let site = Site::on(server.url());
        hostile::set(&site.database, init_connect, completion_type);
        let store = Arc::new(site.open().await);
        for number in 0..40 {
            let one = user(&format!("one {number:02} 😀"), 7);
            store.apply(&[one], Origin::Drained).await.unwrap();
        }
        store
            .apply(&many("many", 7), Origin::Drained)
            .await
            .unwrap();
        store
            .apply(&many("many", 8), Origin::Drained)
            .await
            .unwrap();
        for number in 0..40 {
            let judged = proposal(&format!("judged {number}"), Condition::Absent);
            let verdicts = store.transact(&[judged], None).await.unwrap();
            assert!(
                matches!(verdicts[..], [Decision::Written(_)]),
                "{verdicts:?}"
            );
        }
        // Several connections at a time, each of which is to be set.
        let writes = (0..40).map(|number| {
            let store = store.clone();
            let one = user(&format!("beside {number}"), 7);
            tokio::spawn(async move { store.apply(&[one], Origin::Drained).await })
        });
        for write in writes.collect::<Vec<_>>() {
            write.await.unwrap().unwrap();
        }
        let page = store.page(None, 2_000).await.unwrap();
        assert_eq!(page.records.len(), 1_220, "with {init_connect:?}");
        let one = store.load(&user("one 00 😀", 7).key).await.unwrap();
        assert_eq!(one, Some(user("one 00 😀", 7)));

        // As others see it, while the store's connections are open.
        hostile::reset(&site.database);
        let count = "SELECT COUNT(*), SUM(version = 8) FROM users";
        let seen = site.database.query_rows(count);
        assert_eq!(seen, [["1220", "1100"]], "with {init_connect:?}");
        let engine = "SELECT DISTINCT engine FROM information_schema.tables \
                      WHERE table_schema = DATABASE()";
        assert_eq!(site.database.query_rows(engine), [["InnoDB"]]);
    }
}
