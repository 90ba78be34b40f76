//! The list of what the migrations make is what they make.

use std::time::Duration;

use testkit::servers::TestDatabase;

use super::MysqlTables;
use crate::settings::{DatabaseUrl, Secret};
use crate::store::mysql::connector::Connector;
use crate::store::mysql::migration::{connect, migrate};
use crate::store::schema::{Adoption, MYSQL, Tables as _, exact_differences};
use crate::tls::Tls;

fn secret(database: &TestDatabase) -> Secret {
    match DatabaseUrl::parse(&database.url()) {
        Ok(DatabaseUrl::Mysql(url)) => url,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn the_migrations_make_what_is_listed() {
    let database = TestDatabase::create();
    let connector = Connector::new(&secret(&database), Tls::default()).unwrap();
    let connection = connect(&connector).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let made = migrate(connection, &connector, deadline, Adoption::AT_START).await;
    made.unwrap();
    let rows = database.query_rows("SHOW TABLES");
    let names = rows.concat();
    let names: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| *name != super::RECORD)
        .collect();
    let connection = connect(&connector).await.unwrap();
    let mut tables = MysqlTables::new(connection, connector);
    let found = tables.found(&names).await.unwrap();
    assert_eq!(found.len(), names.len());
    assert_eq!(names.len(), MYSQL.tables.len(), "{names:?}");
    for table in &found {
        assert_eq!(exact_differences(table, &MYSQL), [""; 0]);
    }
}
