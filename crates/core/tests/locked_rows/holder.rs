//! A transaction of another program.

use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};

/// What it may have done, so that a write of `x` waits for it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lock {
    /// It has read the row to change it.
    ForUpdate,
    /// It has inserted a row of this name.
    Insert,
    /// It has deleted the row.
    Delete,
    /// It has read that there is no such name, at REPEATABLE READ, so that there is none.
    Gap,
}

impl Lock {
    fn statements(self) -> &'static str {
        match self {
            Lock::ForUpdate => "BEGIN; SELECT * FROM users WHERE name = 'x' FOR UPDATE",
            Lock::Insert => {
                "BEGIN; INSERT INTO users (name, age, occupation) VALUES ('x', 1, 'Other')"
            }
            Lock::Delete => "BEGIN; DELETE FROM users WHERE name = 'x'",
            Lock::Gap => {
                "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; BEGIN; \
                 SELECT * FROM users WHERE name BETWEEN 'w' AND 'y' FOR UPDATE"
            }
        }
    }

    /// Whether there is a row of the name before.
    pub(crate) fn has_row(self) -> bool {
        matches!(self, Lock::ForUpdate | Lock::Delete)
    }
}

/// Its connection; its locks end with it.
pub(crate) struct Holder(AsyncMysqlConnection);

impl Holder {
    pub(crate) async fn lock(url: &str, lock: Lock) -> Holder {
        Holder::execute(url, lock.statements()).await
    }

    pub(crate) async fn execute(url: &str, statements: &str) -> Holder {
        let mut connection = AsyncMysqlConnection::establish(url).await.unwrap();
        connection.batch_execute(statements).await.unwrap();
        Holder(connection)
    }

    pub(crate) async fn release(mut self) {
        let release = "ROLLBACK; UNLOCK TABLES";
        self.0.batch_execute(release).await.unwrap();
    }
}
