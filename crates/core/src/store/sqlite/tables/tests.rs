//! The list of what the migrations make is what they make.

use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::{AsyncConnection as _, RunQueryDsl as _};

use super::SqliteTables;
use crate::store::schema::{SQLITE, Tables as _, exact_differences};
use crate::store::sqlite::{Connection, SqliteStore};

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_migrations_make_what_is_listed() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("users.db");
    drop(SqliteStore::open(&path).await.unwrap());
    let mut connection = Connection::establish(path.to_str().unwrap()).await.unwrap();
    let query = "SELECT name FROM sqlite_master WHERE type = 'table' \
                 AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_\\_diesel%' ESCAPE '\\'";
    let names: Vec<Name> = diesel::sql_query(query)
        .load(&mut connection)
        .await
        .unwrap();
    let names: Vec<&str> = names.iter().map(|row| row.name.as_str()).collect();
    let found = SqliteTables::new(connection).found(&names).await.unwrap();
    assert_eq!(names.len(), SQLITE.tables.len(), "{names:?}");
    for table in &found {
        assert_eq!(exact_differences(table, &SQLITE), [""; 0]);
    }
}
