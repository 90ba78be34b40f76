//! The database killed, paused, emptied of connections and made read-only.

use std::thread;
use std::time::Duration;

use testkit::own_servers::OwnServer;
use testkit::parts::{Installation, RunningService};
use testkit::servers::{TestDatabase, redis_url, without_socket};
use testkit::service::Service;

use crate::comparison::compare;
use crate::endpoints::Endpoints;
use crate::seed::Seed;
use crate::workload::{Load, Workload};

/// Soon after this the service gives up on a database that does not answer.
const DATABASE_TIMEOUT: Duration = Duration::from_millis(700);

/// A service on a database server of its own, with a user who has no rights but to its database.
struct Site {
    // The fields are dropped in this order.
    running: RunningService,
    server: OwnServer,
}

impl Site {
    fn start() -> Self {
        let server = OwnServer::database();
        let database = TestDatabase::create_on(server.url());
        let name = database.name().to_owned();
        database.query_rows("CREATE USER 'service'@'127.0.0.1' IDENTIFIED BY 'service'");
        database.query_rows(&format!("GRANT ALL ON `{name}`.* TO 'service'@'127.0.0.1'"));
        let url = database.url().replace("root:root@", "service:service@");
        let mut installation = Installation::on(Service::WriteBehind, &redis_url(), database);
        installation.set("DATABASE_URL", &without_socket(&url));
        let timeout_ms = DATABASE_TIMEOUT.as_millis().to_string();
        installation.set("DATABASE_TIMEOUT_MS", &timeout_ms);
        Site {
            running: installation.run(),
            server,
        }
    }

    fn query(&self, sql: &str) -> Vec<Vec<String>> {
        self.running.database().unwrap().query_rows(sql)
    }

    /// Puts the database through the fault a few times while the service is at work.
    fn survives(mut self, times: usize, fault: impl Fn(&mut Site, &Workload)) {
        let seed = Seed::of_this_run();
        let mut choices = seed.choices(u64::MAX);
        let endpoints = Endpoints::new([self.running.base_url()]);
        let workload = Workload::start(seed, &endpoints, Load::USUAL);
        for _ in 0..times {
            workload.acknowledges(choices.u64(50..300));
            fault(&mut self, &workload);
        }
        workload.acknowledges(100);
        let ledger = workload.end();
        compare(
            &ledger,
            self.running.base_url(),
            self.running.installation(),
        );
    }
}

#[test]
#[ignore = "needs servers"]
fn a_database_that_is_killed_and_started_again_gets_everything() {
    Site::start().survives(3, |site, workload| {
        site.server.kill_9();
        workload.acknowledges(200);
        site.server.restart();
    });
}

#[test]
#[ignore = "needs servers"]
fn a_database_that_sleeps_and_wakes_gets_everything_and_the_newest() {
    Site::start().survives(2, |site, workload| {
        site.server.pause();
        // Longer than the service waits: it gives statements up that are done when the server wakes.
        thread::sleep(DATABASE_TIMEOUT * 3);
        workload.acknowledges(100);
        site.server.resume();
    });
}

#[test]
#[ignore = "needs servers"]
fn a_database_that_ends_all_connections_gets_everything() {
    Site::start().survives(10, |site, _| {
        let database = site.running.database().unwrap();
        for connection in database.connections() {
            database.kill(&connection);
        }
    });
}

#[test]
#[ignore = "needs servers"]
fn a_database_that_is_read_only_for_a_while_gets_everything() {
    Site::start().survives(3, |site, workload| {
        site.query("SET GLOBAL read_only = 1");
        workload.acknowledges(300);
        site.query("SET GLOBAL read_only = 0");
    });
}
