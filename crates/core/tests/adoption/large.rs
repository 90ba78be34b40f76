//! A table with more rows than an ordinary start adopts.

use crate::classic::CLASSIC;
use crate::{Database, MIGRATE, on_both, refusal};

on_both!(a_large_table_is_adopted_by_migrate_only);

/// One more than an ordinary start takes.
const ROWS: u32 = 100_001;

async fn a_large_table_is_adopted_by_migrate_only(database: impl Database) {
    database.execute(CLASSIC);
    database.execute(
        "CREATE TABLE digits (d INT); INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)",
    );
    database.execute(
        "INSERT INTO users (id, name, age, occupation) SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d, \
         1 + a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d, 30, 'x' \
         FROM digits a, digits b, digits c, digits d, digits e",
    );
    database.execute("INSERT INTO users (name, age, occupation) VALUES ('one more', 30, 'x')");
    let said = refusal(database.start().await);
    assert!(
        said.contains("more than 100000 rows") && said.contains("`migrate`"),
        "{said}"
    );
    let done = database.migrate(MIGRATE).await.unwrap().join("\n");
    assert!(
        done.contains(&format!("adopted with {ROWS} rows")),
        "{done}"
    );
    drop(database.start().await.unwrap());
    let rows = database.rows("SELECT COUNT(*) FROM users WHERE version = 0");
    assert_eq!(rows, [[ROWS.to_string()]]);
}
