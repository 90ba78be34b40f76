//! Both services on a database whose defaults are not those that they need.

use serde_json::json;
use testkit::own_servers::OwnServer;
use testkit::parts::Installation;
use testkit::servers::{TestDatabase, redis_url};
use testkit::service::{Service, run_to_end};

const WRITES: usize = 40;

#[test]
#[ignore = "needs servers"]
fn writes_are_committed_on_a_server_without_autocommit() {
    let server = OwnServer::database();
    for service in Service::all() {
        let database = TestDatabase::create_on(server.url());
        database.query_rows("SET GLOBAL autocommit = 0");
        database.query_rows("SET GLOBAL completion_type = 1");
        let mut running = Installation::on(service, &redis_url(), database).run();
        let client = running.client();
        for number in 0..WRITES {
            let user = json!({"name": format!("user {number}"), "age": 30, "occupation": "x"});
            assert_eq!(client.post_json(service.write_path(), &user).status, 200);
        }
        if service == Service::WriteBehind {
            assert_eq!(client.post_json("/flush", &json!({})).status, 200);
        }
        running.process().kill_9();
        let rows = running.database().unwrap();
        let rows = rows.query_rows("SELECT COUNT(*) FROM users");
        assert_eq!(rows, [[WRITES.to_string()]], "{}", service.name());
    }
}

#[test]
#[ignore = "needs servers"]
fn a_server_that_keeps_a_setting_ends_the_start() {
    let server = OwnServer::database_with(&["--maximum-wait-timeout=45"]);
    for service in Service::all() {
        let database = TestDatabase::create_on(server.url());
        let installation = Installation::on(service, &redis_url(), database);
        for arguments in [&[][..], &["migrate"]] {
            let mut command = installation.command();
            let output = run_to_end(command.args(arguments).env("LISTEN", "127.0.0.1:0"));
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(64), "{said}");
            let why =
                "DATABASE_URL: in a session of the server wait_timeout is 45 and has to be 60";
            assert!(said.contains(why), "{said}");
        }
    }
}
