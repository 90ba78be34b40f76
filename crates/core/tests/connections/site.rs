//! A database on a server, and an ordinary user of it: `init_connect` and limits are not for
//! users with all privileges.

use std::time::{Duration, Instant};

use cache_core::error::Result;
use cache_core::settings::{DatabaseUrl, Secret};
use cache_core::store::mysql::MysqlStore;
use testkit::servers::{TestDatabase, mysql_url, without_socket};

/// As many connections as a service has by default.
pub(crate) const POOL_MAX: usize = 8;
const TIMEOUT: Duration = Duration::from_secs(60);
const EVENTUALLY: Duration = Duration::from_secs(30);

pub(crate) struct Site {
    pub(crate) database: TestDatabase,
    user: String,
}

impl Site {
    /// On the tests' server.
    pub(crate) fn shared() -> Site {
        Site::on(&mysql_url())
    }

    /// On another one.
    pub(crate) fn on(server_url: &str) -> Site {
        let database = TestDatabase::create_on(server_url);
        let user = format!("plain_{:016x}", fastrand::u64(..));
        database.query_rows(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'plain'"));
        let grant = format!("GRANT ALL ON `{}`.* TO '{user}'@'%'", database.name());
        database.query_rows(&grant);
        Site { database, user }
    }

    pub(crate) fn url(&self) -> String {
        let url = without_socket(&self.database.url());
        let (_, at) = url.rsplit_once('@').unwrap();
        format!("mysql://{}:plain@{at}", self.user)
    }

    pub(crate) async fn open(&self) -> MysqlStore {
        self.try_open().await.unwrap()
    }

    pub(crate) async fn try_open(&self) -> Result<MysqlStore> {
        open_at(&self.url()).await
    }

    /// How many connections the user may have at the same time; 0 for any number.
    pub(crate) fn limit_connections(&self, count: usize) {
        let user = &self.user;
        let limit = format!("ALTER USER '{user}'@'%' WITH MAX_USER_CONNECTIONS {count}");
        self.database.query_rows(&limit);
    }

    /// The ids of the user's connections. (Those that the test asks by are an administrator's.)
    pub(crate) fn connections(&self) -> Vec<String> {
        let (id, user) = (0, 1);
        let mut rows = self.database.query_rows("SHOW PROCESSLIST");
        rows.retain(|row| row[user] == self.user);
        let ids = rows.into_iter().map(|mut row| row.swap_remove(id));
        ids.collect()
    }

    /// Ends all of them, and waits until the server has.
    pub(crate) fn end_connections(&self) {
        let deadline = Instant::now() + EVENTUALLY;
        let mut left = self.connections();
        for connection in &left {
            self.database.kill(connection);
        }
        while !left.is_empty() {
            assert!(Instant::now() < deadline, "{left:?} do not end");
            std::thread::sleep(Duration::from_millis(5));
            left = self.connections();
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What a failed test has done to the server may refuse this, too.
            return;
        }
        let drop = format!("DROP USER '{}'@'%'", self.user);
        self.database.query_rows(&drop);
    }
}

pub(crate) async fn open_at(url: &str) -> Result<MysqlStore> {
    MysqlStore::open(secret(url), POOL_MAX, TIMEOUT).await
}

pub(crate) fn secret(url: &str) -> Secret {
    match DatabaseUrl::parse(url).unwrap() {
        DatabaseUrl::Mysql(secret) => secret,
        other => panic!("{other:?}"),
    }
}
