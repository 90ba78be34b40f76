//! Purged tombstones stay purged, whatever happens to the process that removes them.

use std::os::unix::process::ExitStatusExt as _;

use serde_json::json;
use testkit::http::{Client, user_path};
use testkit::parts::{Installation, Parts};
use testkit::service::{Service, ServiceProcess};
use testkit::wait::wait_until;

const RETENTION: (&str, &str) = ("TOMBSTONE_RETENTION_S", "1");
const FOR_EVER: (&str, &str) = ("TOMBSTONE_RETENTION_S", "0");
/// Between the removal of tombstones and its commit.
const CRASH: (&str, &str) = ("FAULT_POINTS", "purge.removed=crash@1");

/// A service on its parts, started again with other settings as often as a test wants.
struct Site {
    // The fields are dropped in this order.
    process: ServiceProcess,
    installation: Installation,
    service: Service,
}

impl Site {
    fn start(parts: Parts, service: Service, env: &[(&str, &str)]) -> Site {
        let installation = parts.install(service);
        let process = start(&installation, service, env);
        Site {
            process,
            installation,
            service,
        }
    }

    fn start_again(&mut self, env: &[(&str, &str)]) {
        self.process = start(&self.installation, self.service, env);
    }

    fn client(&self) -> Client {
        self.process.client()
    }

    fn write(&self, name: &str) {
        let user = json!({ "name": name, "age": 30, "occupation": "Engineer" });
        let written = self.client().post_json(self.service.write_path(), &user);
        assert!(matches!(written.status, 200..=202), "{}", written.text());
    }

    fn delete(&self, name: &str) {
        let deleted = self.client().delete(&user_path(name));
        assert_eq!(deleted.status, 204, "{}", deleted.text());
    }

    fn status(&self, name: &str) -> u16 {
        self.client().get(&user_path(name)).status
    }

    /// All that was acknowledged is in the database.
    fn flush(&self) {
        if self.service == Service::WriteBehind {
            let flushed = self
                .client()
                .request("POST", "/flush?timeout_s=30", &[], None);
            assert!(matches!(flushed.status, 200..=204), "{}", flushed.text());
        }
    }

    /// How many tombstones the process has removed.
    fn purged(&self) -> u64 {
        let metrics = self.client().get("/metrics");
        let mut lines = metrics.text().lines();
        let line = lines.find(|line| line.starts_with("write_cache_tombstones_purged_total"));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// The names in the database, deleted or not, where that can be asked.
    fn names(&self) -> Option<Vec<String>> {
        let database = self.installation.database()?;
        Some(
            database
                .query_rows("SELECT name FROM users ORDER BY name")
                .concat(),
        )
    }
}

fn start(installation: &Installation, service: Service, env: &[(&str, &str)]) -> ServiceProcess {
    let plain: Vec<(&str, &str)> = installation.settings().collect();
    let env = [plain.as_slice(), env].concat();
    ServiceProcess::start_in(installation.folder(), service, &env)
}

fn a_deleted_user_stays_gone(parts: Parts, service: Service) {
    let mut site = Site::start(parts, service, &[RETENTION]);
    site.write("gone");
    site.write("kept");
    site.delete("gone");
    wait_until("nothing is left of the user", || site.purged() == 1);
    if let Some(names) = site.names() {
        assert_eq!(names, ["kept"]);
    }
    assert_eq!((site.status("gone"), site.status("kept")), (404, 200));

    // What the journal and the cache do not know for sure comes again.
    site.process.kill_9();
    site.start_again(&[RETENTION]);
    site.flush();
    assert_eq!((site.status("gone"), site.status("kept")), (404, 200));
    if let Some(names) = site.names() {
        assert_eq!(names, ["kept"]);
    }
    site.write("gone");
    site.flush();
    assert_eq!(site.status("gone"), 200);
    let page = site.client().get("/users").json();
    assert_eq!(page["users"].as_array().unwrap().len(), 2, "{page}");
}

#[test]
#[ignore = "needs servers"]
fn a_purged_user_stays_gone_behind_embedded_parts() {
    a_deleted_user_stays_gone(Parts::Embedded, Service::WriteBehind);
}

#[test]
#[ignore = "needs servers"]
fn a_purged_user_stays_gone_behind_redis() {
    a_deleted_user_stays_gone(Parts::RedisMariaDb, Service::WriteBehind);
}

#[test]
#[ignore = "needs servers"]
fn a_purged_user_stays_gone_through_embedded_parts() {
    a_deleted_user_stays_gone(Parts::Embedded, Service::WriteThrough);
}

#[test]
#[ignore = "needs servers"]
fn a_purged_user_stays_gone_through_redis() {
    a_deleted_user_stays_gone(Parts::RedisMariaDb, Service::WriteThrough);
}

#[test]
#[ignore = "needs servers"]
fn death_in_a_purge_leaves_all_or_nothing() {
    let (parts, service) = (Parts::RedisMariaDb, Service::WriteBehind);
    let mut site = Site::start(parts, service, &[RETENTION, CRASH]);
    let floor = |site: &Site| {
        let database = site.installation.database().unwrap();
        let rows = database.query_rows("SELECT purged_through FROM cache_epoch");
        rows.concat().concat().parse::<u64>().unwrap()
    };
    site.write("gone");
    site.write("kept");
    site.delete("gone");
    let status = site.process.wait();
    assert!(status.signal().is_some(), "{status}");
    site.start_again(&[FOR_EVER]);
    assert_eq!(site.names().unwrap(), ["gone", "kept"]);
    assert_eq!(floor(&site), 0);
    assert!(site.process.terminate().success());
    site.start_again(&[RETENTION]);
    wait_until("nothing is left of the user", || site.purged() == 1);
    assert_eq!(site.names().unwrap(), ["kept"]);
    assert!(floor(&site) > 0);
}

/// So that write-through, which knows nothing of a journal, leaves the tombstones to it.
#[test]
#[ignore = "needs servers"]
fn write_behind_says_in_the_database_that_it_has_a_journal() {
    let (parts, service) = (Parts::RedisMariaDb, Service::WriteBehind);
    let memory = [("CACHE_URL", "memory:"), FOR_EVER];
    let mut site = Site::start(parts, service, &memory);
    let database = site.installation.database().unwrap();
    let said = "SELECT process FROM cache_members WHERE for_good = 1";
    assert_eq!(
        database.query_rows(said).concat(),
        ["every write-behind-svc"]
    );
    site.write("gone");
    site.delete("gone");
    site.flush();
    assert!(site.process.terminate().success());
    site.service = Service::WriteThrough;
    site.start_again(&[("CACHE_URL", "memory:"), RETENTION]);
    let database = site.installation.database().unwrap();
    database.query_rows("DELETE FROM cache_members WHERE for_good = 1");
    wait_until("nothing is left of the user", || site.purged() == 1);
}
