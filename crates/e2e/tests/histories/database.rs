//! The database killed and started again.

use testkit::own_servers::OwnServer;
use testkit::parts::Installation;
use testkit::servers::{TestDatabase, redis_url, without_socket};

use crate::load::{Load, Working};
use crate::seed::Seed;
use crate::site::{BOTH, Layout, Site, TWO_WRITE_BEHIND, TWO_WRITE_THROUGH};

const OPERATIONS_BETWEEN: u64 = 90;
const FAULTS: usize = 2;

/// Soon after this a service gives up on a database that does not answer.
const DATABASE_TIMEOUT_MS: &str = "700";

fn is_linearizable_through_restarts(layout: Layout) {
    let seed = Seed::of_this_run();
    let mut server = OwnServer::database();
    let database = TestDatabase::create_on(server.url());
    let url = without_socket(&database.url());
    let mut installation = Installation::on(layout[0], &redis_url(), database);
    installation.set("DATABASE_URL", &url);
    installation.set("DATABASE_TIMEOUT_MS", DATABASE_TIMEOUT_MS);
    let site = Site::start_on(layout, installation, &[]);
    let working = Working::start(seed, &site, Load::USUAL);
    for _ in 0..FAULTS {
        working.achieves(OPERATIONS_BETWEEN);
        server.crash_and_restart();
    }
    working.achieves(OPERATIONS_BETWEEN);
    working.end();
}

#[test]
#[ignore = "needs servers"]
fn write_through_is_linearizable_through_restarts_of_the_database() {
    is_linearizable_through_restarts(TWO_WRITE_THROUGH);
}

#[test]
#[ignore = "needs servers"]
fn write_behind_is_linearizable_through_restarts_of_the_database() {
    is_linearizable_through_restarts(TWO_WRITE_BEHIND);
}

#[test]
#[ignore = "needs servers"]
fn both_services_are_linearizable_through_restarts_of_the_database() {
    is_linearizable_through_restarts(BOTH);
}
