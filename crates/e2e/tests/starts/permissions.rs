//! Services whose users at both servers have the rights in docs/permissions.md and no others.

use serde_json::json;
use testkit::http::{Client, user_path};
use testkit::parts::Installation;
use testkit::servers::TestDatabase;
use testkit::service::{Service, ServiceProcess};
use testkit::wait::wait_until;

use crate::site::{Cache, expect_end, flush, must_run, must_write, run};

const DOCUMENT: &str = include_str!("../../../../docs/permissions.md");

/// The rules of the ACL, as the document has them.
fn rules() -> Vec<&'static str> {
    let rules = DOCUMENT.split("ACL SETUSER svc").nth(1).unwrap();
    let rules = rules.split("\n\n").next().unwrap();
    let rules = rules.split_whitespace().filter(|rule| *rule != "\\");
    rules.filter(|rule| !rule.starts_with(['>'])).collect()
}

/// The rights at the database, as the document has them.
fn rights() -> &'static str {
    let rights = DOCUMENT.split("GRANT ").nth(1).unwrap();
    rights.split(" ON ").next().unwrap()
}

/// A database user that is dropped with this.
struct User {
    database: TestDatabase,
    name: String,
}

impl User {
    fn create(database: TestDatabase) -> User {
        let name = format!("u{:08x}", crc(database.name()));
        let create = format!("CREATE USER '{name}'@'%' IDENTIFIED BY 'x'");
        database.query_rows(&create);
        let grant = format!(
            "GRANT {} ON `{}`.* TO '{name}'@'%'",
            rights(),
            database.name()
        );
        database.query_rows(&grant);
        User { database, name }
    }

    fn url(&self) -> String {
        let url = self.database.url();
        let (scheme, rest) = url.split_once("://").unwrap();
        let (_, host) = rest.split_once('@').unwrap();
        format!("{scheme}://{}:x@{host}", self.name)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let drop = format!("DROP USER '{}'@'%'", self.name);
        self.database.query_rows(&drop);
    }
}

/// A name of a user has at most 32 characters.
fn crc(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

struct Site {
    cache: Cache,
    user: User,
}

impl Site {
    /// The tables are made by another user, who may.
    fn prepared(service: Service) -> Site {
        let cache = Cache::start(&[]);
        let database = TestDatabase::create();
        let url = database.url();
        let mut administrator =
            Installation::on(service, cache.server.url(), TestDatabase::create());
        administrator.set("DATABASE_URL", &url);
        must_run(&administrator, &["migrate"]);
        let mut site = Site {
            cache,
            user: User::create(database),
        };
        site.permit(&[]);
        site
    }

    /// Gives the user of Redis the documented rules, and these in addition.
    fn permit(&mut self, more: &[&str]) {
        let mut words = vec!["ACL", "SETUSER", "svc", "reset", ">x"];
        words.extend(rules());
        words.extend(more);
        self.cache.command(&words);
    }

    fn install(&self, service: Service) -> Installation {
        let (scheme, host) = self.cache.server.url().split_once("://").unwrap();
        let redis = format!("{scheme}://svc:x@{host}");
        let mut installation = Installation::on(service, &redis, TestDatabase::create());
        installation.set("DATABASE_URL", &self.user.url());
        installation.set("TOMBSTONE_RETENTION_S", "1");
        installation
    }
}

#[track_caller]
fn expect_age(client: &Client, name: &str, age: u8) {
    let answer = client.get(&user_path(name));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["age"], age);
}

#[track_caller]
fn expect_well(client: &Client) {
    for path in ["/readyz", "/dashboard", "/metrics"] {
        let answer = client.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
}

/// Nothing was denied so far.
#[track_caller]
fn expect_nothing_denied(process: &ServiceProcess) {
    for word in ["denied", "NOPERM", "denies"] {
        let logs = process.logs();
        assert!(!logs.contains(word), "{logs}");
    }
}

fn expect_purged(site: &Site, name: &str) {
    let database = &site.user.database;
    let rows = format!("SELECT name FROM users WHERE name = '{name}'");
    wait_until("the tombstone is purged", || {
        database.query_rows(&rows).is_empty()
    });
}

#[test]
#[ignore = "needs servers"]
fn write_through_needs_no_other_rights() {
    let site = Site::prepared(Service::WriteThrough);
    let installation = site.install(Service::WriteThrough);
    let mut process = installation.start(Service::WriteThrough);
    let client = process.client();
    must_write(&client, "kept");
    must_write(&client, "deleted");
    expect_age(&client, "kept", 30);
    let answer = client.request("PUT", &user_path("kept"), &[("If-None-Match", "*")], None);
    assert!((400..500).contains(&answer.status), "{}", answer.text());
    assert_eq!(client.delete(&user_path("deleted")).status, 204);
    assert_eq!(client.delete("/cache").status, 204);
    assert_eq!(client.get("/users?limit=10").status, 200);
    expect_well(&client);
    expect_purged(&site, "deleted");
    assert!(process.terminate().success());
    expect_nothing_denied(&process);
    let mut process = installation.start(Service::WriteThrough);
    expect_age(&process.client(), "kept", 30);
    assert!(process.terminate().success());
    expect_nothing_denied(&process);
}

#[test]
#[ignore = "needs servers"]
fn write_behind_needs_no_other_rights() {
    let mut site = Site::prepared(Service::WriteBehind);
    let mut installation = site.install(Service::WriteBehind);
    installation.set("DEAD_LETTERS_MAX", "1");
    let mut process = installation.start(Service::WriteBehind);
    let client = process.client();
    must_write(&client, "kept");
    must_write(&client, "deleted");
    flush(&client);
    expect_age(&client, "kept", 30);
    assert_eq!(client.delete(&user_path("deleted")).status, 204);
    flush(&client);
    assert_eq!(client.delete("/cache").status, 204);
    expect_well(&client);
    expect_purged(&site, "deleted");
    let refuse = "ALTER TABLE users ADD CONSTRAINT refuse CHECK (name NOT LIKE 'refused%')";
    site.user.database.query_rows(refuse);
    must_write(&client, "refused");
    let refused = || {
        let journal = client.get("/journal").json();
        (
            journal["dead_letters"].as_u64(),
            journal["held_back"].as_u64(),
        )
    };
    wait_until("it is a dead letter", || refused() == (Some(1), Some(0)));
    for name in ["refused 1", "refused 2"] {
        must_write(&client, name);
    }
    wait_until("two are held back", || refused() == (Some(1), Some(2)));
    for name in ["refused", "refused 1"] {
        must_run(&installation, &["inspect", name]);
    }
    let listed = client.get("/dead-letters").json();
    assert_eq!(listed["dead_letters"].as_array().map_or(0, Vec::len), 3);
    assert_eq!(client.delete("/dead-letters/refused").status, 204);
    wait_until("one takes its place", || refused() == (Some(1), Some(1)));
    site.user
        .database
        .query_rows("ALTER TABLE users DROP CONSTRAINT refuse");
    wait_until("the other one is retried", || refused().1 == Some(0));
    let replay = client.request("POST", "/dead-letters/replay", &[], None);
    assert_eq!(replay.status, 200, "{}", replay.text());
    wait_until("no dead letter is left", || refused().0 == Some(0));
    flush(&client);
    process.kill_9();
    expect_nothing_denied(&process);
    drop(process);
    site.cache.server.crash_and_restart();
    site.cache.admin =
        testkit::redis_connection::RedisConnection::open(site.cache.server.url()).unwrap();
    site.permit(&[]);
    let mut process = installation.start(Service::WriteBehind);
    for name in ["kept", "refused 1", "refused 2"] {
        expect_age(&process.client(), name, 30);
    }
    must_write(&process.client(), "kept");
    flush(&process.client());
    expect_well(&process.client());
    assert!(process.terminate().success());
    expect_nothing_denied(&process);
}

/// Redis before 7.2 does not name what it denies to a script.
const IN_SCRIPT: &str = "a command within a script";

#[test]
#[ignore = "needs servers"]
fn a_command_that_is_denied_is_named_at_once() {
    for (service, rule, named) in [
        (Service::WriteBehind, "-evalsha", "the command EVALSHA "),
        (Service::WriteBehind, "-info", "the command INFO "),
        (Service::WriteThrough, "-mget", "the command MGET "),
        (Service::WriteThrough, "-set", "the command SET "),
        (Service::WriteBehind, "resetkeys", "~wc*"),
    ] {
        let mut site = Site::prepared(service);
        site.permit(&[rule]);
        let mut installation = site.install(service);
        installation.set("STARTUP_DEADLINE_S", "3600");
        let output = run(&installation, |_| {});
        expect_end(&output, 1, &["CACHE_URL", "docs/permissions.md"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(named) || said.contains(IN_SCRIPT), "{said}");
    }
}

#[test]
#[ignore = "needs servers"]
fn a_command_that_is_denied_later_is_named_in_the_log() {
    let mut site = Site::prepared(Service::WriteBehind);
    let installation = site.install(Service::WriteBehind);
    let process = installation.start(Service::WriteBehind);
    must_write(&process.client(), "user");
    site.permit(&["-xadd"]);
    let user = json!({ "age": 30, "occupation": "Engineer" });
    wait_until("the log names it", || {
        let _ = process.client().put_json(&user_path("user"), &user);
        process.logs().contains("XADD") || process.logs().contains(IN_SCRIPT)
    });
}

#[test]
#[ignore = "needs servers"]
fn a_table_that_is_denied_ends_the_start_at_once() {
    let site = Site::prepared(Service::WriteBehind);
    let (database, name) = (&site.user.database, &site.user.name);
    let revoke = format!("REVOKE UPDATE ON `{}`.* FROM '{name}'@'%'", database.name());
    database.query_rows(&revoke);
    let mut installation = site.install(Service::WriteBehind);
    installation.set("STARTUP_DEADLINE_S", "3600");
    let output = run(&installation, |_| {});
    expect_end(
        &output,
        1,
        &["DATABASE_URL", "denie", "docs/permissions.md"],
    );
}

#[test]
#[ignore = "needs servers"]
fn tables_that_are_missing_are_not_made_without_the_right() {
    let site = Site::prepared(Service::WriteThrough);
    site.user.database.query_rows("DROP TABLE cache_members");
    site.user
        .database
        .query_rows("DELETE FROM __diesel_schema_migrations WHERE version = '00000000000005'");
    let mut installation = site.install(Service::WriteThrough);
    installation.set("STARTUP_DEADLINE_S", "3600");
    let output = run(&installation, |_| {});
    expect_end(&output, 1, &["CREATE", "`migrate`", "docs/permissions.md"]);
}
