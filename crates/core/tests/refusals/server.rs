//! A database on the tests' server, and what is done to it past the store.

use std::time::{Duration, Instant};

use cache_core::settings::{DatabaseUrl, Secret};
use cache_core::store::mysql::MysqlStore;
use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use testkit::servers::{TestDatabase, without_socket};
use tokio::sync::Mutex;

/// Longer than a statement waits for its locks.
const TIMEOUT: Duration = Duration::from_secs(60);
/// After a look at its list of transactions, the server brings the list up to date
/// only once a tenth of a second has passed without another one. So the tests take
/// turns.
const LOOK_AGAIN: Duration = Duration::from_millis(150);
static LOOKING: Mutex<()> = Mutex::const_new(());
const EVENTUALLY: Duration = Duration::from_secs(20);

/// A store with one connection, which was never used.
pub(crate) async fn open(url: &str) -> MysqlStore {
    MysqlStore::open(secret(url), 1, TIMEOUT).await.unwrap()
}

fn secret(url: &str) -> Secret {
    match DatabaseUrl::parse(url).unwrap() {
        DatabaseUrl::Mysql(secret) => secret,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn connect(url: &str) -> AsyncMysqlConnection {
    AsyncMysqlConnection::establish(url).await.unwrap()
}

/// A database with rows that a transaction of another connection holds.
pub(crate) struct Locked {
    // Dropped first: while its transaction is open, no table of the database can
    // be dropped.
    pub(crate) holder: AsyncMysqlConnection,
    pub(crate) database: TestDatabase,
}

impl Locked {
    /// The holder has changed `b` and many other rows, but not `a`.
    pub(crate) async fn new() -> Locked {
        let database = TestDatabase::create();
        drop(open(&database.url()).await);
        let rows = (0..50).map(|row| format!("('row {row}', 1, 'x', 1)"));
        let rows: Vec<String> = rows.collect();
        let rows = rows.join(", ");
        database.query_rows(&format!(
            "INSERT INTO users (name, age, occupation, version) VALUES \
             ('a', 1, 'x', 1), ('b', 1, 'x', 1), {rows}"
        ));
        let mut holder = connect(&database.url()).await;
        let hold = "BEGIN; UPDATE users SET age = 2 WHERE name <> 'a'";
        holder.batch_execute(hold).await.unwrap();
        Locked { database, holder }
    }

    /// The id of the connection that waits for the holder.
    pub(crate) async fn waiting(&self) -> String {
        let deadline = Instant::now() + EVENTUALLY;
        loop {
            let _alone = LOOKING.lock().await;
            tokio::time::sleep(LOOK_AGAIN).await;
            if let Some(id) = self.database.connections_that_wait().into_iter().next() {
                return id;
            }
            assert!(Instant::now() < deadline, "nothing waits for the lock");
        }
    }
}

/// A user of the server that may do to one database what a service does, and
/// nothing else.
pub(crate) struct PlainUser<'d> {
    database: &'d TestDatabase,
    name: String,
}

impl<'d> PlainUser<'d> {
    pub(crate) fn new(database: &'d TestDatabase) -> PlainUser<'d> {
        let name = format!("plain_{:016x}", fastrand::u64(..));
        let create = format!("CREATE USER '{name}'@'%' IDENTIFIED BY 'plain'");
        database.query_rows(&create);
        database.query_rows(&format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES \
             ON `{}`.* TO '{name}'@'%'",
            database.name()
        ));
        PlainUser { database, name }
    }

    /// From now on the user may have no more than one connection.
    pub(crate) fn may_connect_once(&self) {
        let limit = format!("ALTER USER '{}'@'%' WITH MAX_USER_CONNECTIONS 1", self.name);
        self.database.query_rows(&limit);
    }

    pub(crate) fn url(&self) -> String {
        let url = without_socket(&self.database.url());
        let (_, at) = url.rsplit_once('@').unwrap();
        format!("mysql://{}:plain@{at}", self.name)
    }
}

impl Drop for PlainUser<'_> {
    fn drop(&mut self) {
        let drop = format!("DROP USER '{}'@'%'", self.name);
        self.database.query_rows(&drop);
    }
}
