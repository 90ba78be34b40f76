//! Services of one database that start, die and meet restarted servers are never refused.

use std::thread;

use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::parts::{Installation, Parts};
use testkit::redis_connection::RedisConnection;
use testkit::servers::TestDatabase;
use testkit::service::{Service, ServiceProcess};
use testkit::wait::wait_until;

use crate::site::{StoredBinding, age, must_write, rows, settle, write};

fn start_at_once(installation: &Installation, count: usize) -> Vec<ServiceProcess> {
    thread::scope(|scope| {
        let starts: Vec<_> = Service::all()
            .into_iter()
            .cycle()
            .take(count)
            .map(|service| scope.spawn(move || installation.start(service)))
            .collect();
        starts
            .into_iter()
            .map(|start| start.join().unwrap())
            .collect()
    })
}

#[test]
#[ignore = "needs servers"]
fn processes_that_are_killed_and_start_at_once_all_start() {
    let installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    for round in 0..2 {
        let mut processes = start_at_once(&installation, 4);
        for (number, process) in processes.iter().enumerate() {
            must_write(&process.client(), &format!("{round} {number}"), 30);
        }
        for process in &mut processes {
            process.kill_9();
        }
    }
    let mut process = installation.start(Service::WriteBehind);
    settle(Service::WriteBehind, &process.client());
    assert_eq!(rows(installation.database().unwrap()).len(), 8);
    assert!(process.terminate().success());
}

#[test]
#[ignore = "needs servers"]
fn services_go_on_when_their_servers_come_back() {
    let mut database_server = OwnServer::database();
    let mut redis_server = OwnServer::redis(AppendFsync::EverySecond, "0");
    let database = TestDatabase::create_on(database_server.url());
    let installation = Installation::on(Service::WriteBehind, redis_server.url(), database);
    let processes = start_at_once(&installation, 2);
    let all_write = |age_now: u32| {
        for process in &processes {
            let client = process.client();
            wait_until("the service writes", || {
                write(&client, "user", age_now) == 200
            });
            assert_eq!(age(&client, "user"), Some(age_now.into()));
        }
        // One more is let in, too.
        let mut another = installation.start(Service::WriteThrough);
        assert_eq!(age(&another.client(), "user"), Some(age_now.into()));
        assert!(another.terminate().success());
    };
    all_write(30);
    database_server.crash_and_restart();
    all_write(31);
    redis_server.crash_and_restart();
    all_write(32);
    let mut redis = RedisConnection::open(redis_server.url()).unwrap();
    redis.command(&["FLUSHALL"]).unwrap();
    all_write(33);
}

#[test]
#[ignore = "needs servers"]
fn a_recreated_table_interrupts_nothing() {
    let installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    let database = installation.database().unwrap();
    let processes = start_at_once(&installation, 2);
    let mut stored = StoredBinding::of(&installation);
    let before = stored.get();
    let made = || {
        database.query_rows(
            "SELECT UNIX_TIMESTAMP(create_time) FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name = 'users_identity'",
        )
    };
    let first = made();
    wait_until("the table is made at another time", || {
        database.query_rows("ALTER TABLE users_identity ENGINE = InnoDB");
        made() != first
    });
    wait_until("the binding follows", || {
        for process in &processes {
            must_write(&process.client(), "user", 30);
        }
        stored.get() != before
    });
    let mut another = installation.start(Service::WriteThrough);
    for process in &processes {
        must_write(&process.client(), "user", 31);
    }
    assert_eq!(age(&another.client(), "user"), Some(31));
    assert!(another.terminate().success());
}

#[test]
#[ignore = "needs servers"]
fn a_clean_stop_leaves_no_registration() {
    let installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    let mut processes = start_at_once(&installation, 4);
    let mut stored = StoredBinding::of(&installation);
    assert_eq!(stored.registrations(), 4);
    for process in &mut processes {
        assert!(process.terminate().success());
    }
    assert_eq!(stored.registrations(), 0);
}
