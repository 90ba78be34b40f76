//! Conflicts that the server reports at COMMIT, as a cluster does. Nothing took place, so the
//! transaction is retried.

use std::io::{self, Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use cache_core::error::Error;
use cache_core::model::decision::Decision;
use cache_core::model::record::{Condition, Record, Write};
use cache_core::store::mysql::MysqlStore;
use cache_core::store::{Origin, Proposal, Store};
use testkit::own_servers::OwnServer;
use testkit::servers::{TestDatabase, mysql_url, without_socket};

use crate::server::open;
use crate::{good, user};

const HEADER_BYTES: usize = 4;
const QUERY: u8 = 3;
const COMMIT: &[u8] = b"\x03COMMIT";

/// How clusters report one: Galera, MySQL Group Replication, Galera by way of the binary log.
const CONFLICTS: [&str; 3] = [
    "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'",
    "SIGNAL SQLSTATE '40000' SET MYSQL_ERRNO = 3101, MESSAGE_TEXT = 'Plugin instructed rollback'",
    "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1180, MESSAGE_TEXT = 'Got error 149 during COMMIT'",
];
/// An error that leaves the outcome unknown.
const UNKNOWN: &str =
    "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1180, MESSAGE_TEXT = 'Got error 5 during COMMIT'";

/// A database whose next COMMITs fail.
struct Conflicting {
    // Dropped first: while its transaction is open, no table of the database can be dropped.
    store: MysqlStore,
    database: TestDatabase,
    left: Arc<AtomicU32>,
    // Outlives the database.
    _server: Option<OwnServer>,
}

impl Conflicting {
    /// The next `left` COMMITs are replaced by `statement`, which raises an error.
    async fn new(statement: &'static str) -> Conflicting {
        // The packets of a server that demands TLS cannot be read.
        let server = mysql_url()
            .contains("require_ssl")
            .then(|| OwnServer::database_with(&["--require-secure-transport=OFF"]));
        let database = match &server {
            Some(server) => TestDatabase::create_on(server.url()),
            None => TestDatabase::create(),
        };
        let url = database.url();
        let plain = without_socket(url.split('?').next().unwrap());
        let (head, rest) = plain.rsplit_once('@').unwrap();
        let (address, name) = rest.split_once('/').unwrap();
        let left = Arc::new(AtomicU32::new(0));
        let proxy = listen(address, statement, left.clone());
        let store = open(&format!("{head}@{proxy}/{name}")).await;
        Conflicting {
            database,
            store,
            left,
            _server: server,
        }
    }

    fn fail(&self, commits: u32) {
        self.left.store(commits, Ordering::SeqCst);
    }
}

fn listen(server: &str, statement: &'static str, left: Arc<AtomicU32>) -> SocketAddr {
    let server = server.to_socket_addrs().unwrap().next().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(server).unwrap();
            let (mut answers, mut to_client) =
                (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut answers, &mut to_client));
            let left = left.clone();
            thread::spawn(move || {
                let to_server = server.try_clone().unwrap();
                let _ = pass_on(client, server, statement, &left);
                // The other direction holds the socket, too, and a transaction lasts as long as its connection.
                let _ = to_server.shutdown(Shutdown::Both);
            });
        }
    });
    address
}

/// Passes packets on to the server, with `statement` in place of COMMIT.
fn pass_on(
    mut client: TcpStream,
    mut server: TcpStream,
    statement: &str,
    left: &AtomicU32,
) -> io::Result<()> {
    loop {
        let mut header = [0; HEADER_BYTES];
        client.read_exact(&mut header)?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
        let mut packet = vec![0; length];
        client.read_exact(&mut packet)?;
        let fails = packet == COMMIT
            && left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    left.checked_sub(1)
                })
                .is_ok();
        if fails {
            packet = [&[QUERY], statement.as_bytes()].concat();
            header[..3].copy_from_slice(&(packet.len() as u32).to_le_bytes()[..3]);
        }
        server.write_all(&[&header[..], &packet].concat())?;
    }
}

/// More rows than one statement takes, so that they are in a transaction.
fn many() -> Vec<Record> {
    (0..1_100).map(|row| good(&format!("row {row}"))).collect()
}

fn proposal(name: &str) -> Proposal {
    let record = user(name, 7, "x");
    Proposal {
        write: Write {
            condition: Condition::Absent,
            ..Write::put(record.key, record.body.unwrap())
        },
        version: None,
        beside: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_conflict_at_commit_is_retried() {
    for statement in CONFLICTS {
        let conflicting = Conflicting::new(statement).await;
        let store = &conflicting.store;
        conflicting.fail(3);
        store.apply(&many(), Origin::Drained).await.unwrap();
        conflicting.fail(3);
        let verdicts = store.transact(&[proposal("a")], None).await.unwrap();
        assert!(
            matches!(verdicts[..], [Decision::Written(_)]),
            "{verdicts:?}"
        );
        assert_eq!(conflicting.left.load(Ordering::SeqCst), 0);
        let rows = conflicting
            .database
            .query_rows("SELECT COUNT(*) FROM users");
        assert_eq!(rows, [["1101"]], "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_conflict_that_stays_leaves_nothing_behind() {
    let conflicting = Conflicting::new(CONFLICTS[1]).await;
    let store = &conflicting.store;
    conflicting.fail(1_000);
    let applied = store.apply(&many(), Origin::Drained).await;
    assert!(matches!(applied, Err(Error::Locked)), "{applied:?}");
    let judged = store.transact(&[proposal("a")], None).await;
    assert!(matches!(judged, Err(Error::Locked)), "{judged:?}");
    conflicting.fail(0);
    assert_eq!(store.load(&good("row 1").key).await.unwrap(), None);
    assert_eq!(store.load(&good("a").key).await.unwrap(), None);
    store.apply(&many(), Origin::Drained).await.unwrap();
}

/// Judging the conditions again might end differently.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn an_unknown_outcome_of_a_commit_is_not_retried() {
    let conflicting = Conflicting::new(UNKNOWN).await;
    conflicting.fail(1);
    let judged = conflicting.store.transact(&[proposal("a")], None).await;
    assert!(
        matches!(judged, Err(Error::Unavailable { .. })),
        "{judged:?}"
    );
    assert_eq!(conflicting.left.load(Ordering::SeqCst), 0);
}
