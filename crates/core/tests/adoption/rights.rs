//! What a start needs of the server: rights, and defaults.

use testkit::own_servers::OwnServer;
use testkit::servers::{TestDatabase, without_socket};

use crate::classic::CLASSIC;
use crate::mysql::{Mysql, start_at};
use crate::{Database, all, expect_usable, expect_users, user};

/// A user of the server with some rights to one database.
struct Restricted<'d> {
    database: &'d TestDatabase,
    name: String,
}

impl Restricted<'_> {
    fn new<'d>(database: &'d TestDatabase, rights: &str) -> Restricted<'d> {
        let name = format!("restricted_{:016x}", fastrand::u64(..));
        database.query_rows(&format!("CREATE USER '{name}'@'%' IDENTIFIED BY 'plain'"));
        let to = format!("ON `{}`.* TO '{name}'@'%'", database.name());
        database.query_rows(&format!("GRANT {rights} {to}"));
        Restricted { database, name }
    }

    fn url(&self) -> String {
        let url = without_socket(&self.database.url());
        let (_, at) = url.rsplit_once('@').unwrap();
        format!("mysql://{}:plain@{at}", self.name)
    }
}

impl Drop for Restricted<'_> {
    fn drop(&mut self) {
        let drop = format!("DROP USER '{}'@'%'", self.name);
        self.database.query_rows(&drop);
    }
}

/// An administrator runs `migrate`; the service's own user may not define data.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn rights_to_the_rows_are_enough_when_nothing_is_pending() {
    let mysql = Mysql::new();
    mysql.execute(CLASSIC);
    mysql.execute("INSERT INTO users (name, age, occupation) VALUES ('Ann', 20, 'A')");
    drop(mysql.start().await.unwrap());
    let user_of_rows = Restricted::new(&mysql.database, "SELECT, INSERT, UPDATE, DELETE");
    let store = start_at(&user_of_rows.url()).await.unwrap();
    expect_users(&all(&*store).await, &[user("Ann", 20, "A")]);
    expect_usable(&*store, "Ann").await;
}

/// The table is left as it is, and the next start, which may, adopts it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn without_the_right_to_alter_nothing_is_changed() {
    let mysql = Mysql::new();
    mysql.execute(CLASSIC);
    let before = mysql.everything();
    let user_of_rows = Restricted::new(&mysql.database, "SELECT, INSERT, UPDATE, DELETE");
    let refused = start_at(&user_of_rows.url()).await.map(drop).unwrap_err();
    assert!(refused.to_string().contains("ALTER"), "{refused}");
    assert_eq!(before, mysql.everything());
    mysql.start().await.unwrap();
}

/// As servers have them that were upgraded for many years.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn defaults_of_old_servers_do_not_matter() {
    let server = OwnServer::database_with(&[
        "--innodb-default-row-format=compact",
        "--default-storage-engine=MyISAM",
        // Each kind of server knows one of these.
        "--loose-sql-require-primary-key=ON",
        "--loose-innodb-force-primary-key=ON",
    ]);
    for classic in [false, true] {
        let mysql = Mysql {
            database: TestDatabase::create_on(server.url()),
        };
        if classic {
            mysql.execute(&format!("{CLASSIC} ENGINE = InnoDB CHARACTER SET latin1"));
            mysql.execute("INSERT INTO users (name, age, occupation) VALUES ('Zoë', 20, 'A')");
        }
        let store = mysql.start().await.unwrap();
        if classic {
            expect_usable(&*store, "Zoë").await;
        }
        mysql.start().await.unwrap();
    }
}
