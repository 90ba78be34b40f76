//! A service on servers of its own, which a test may stop, fill and make read-only.

use serde_json::{Value, json};
use testkit::http::{Client, Response, user_path};
use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::parts::{Installation, RunningService};
use testkit::redis_connection::RedisConnection;
use testkit::servers::TestDatabase;
use testkit::service::Service;

/// The fields are dropped in this order.
pub(crate) struct Site {
    pub(crate) running: RunningService,
    pub(crate) redis: OwnServer,
    pub(crate) database: OwnServer,
}

impl Site {
    pub(crate) fn start(service: Service) -> Self {
        Site::start_with(service, &[])
    }

    pub(crate) fn start_with(service: Service, settings: &[(&str, &str)]) -> Self {
        let redis = OwnServer::redis(AppendFsync::EverySecond, "0");
        Site::on(service, redis, settings)
    }

    pub(crate) fn on(service: Service, redis: OwnServer, settings: &[(&str, &str)]) -> Self {
        let database = OwnServer::database();
        let data = TestDatabase::create_on(database.url());
        // One that a read-only server refuses, unlike root.
        for statement in [
            "CREATE USER app@'%' IDENTIFIED BY 'app'".to_owned(),
            format!("GRANT ALL ON `{}`.* TO app@'%'", data.name()),
        ] {
            data.query_rows(&statement);
        }
        let url = data.url().replace("root:root@", "app:app@");
        let mut installation = Installation::on(service, redis.url(), data);
        installation.set("DATABASE_URL", &url);
        for (name, value) in settings {
            installation.set(name, value);
        }
        Site {
            running: installation.run(),
            redis,
            database,
        }
    }

    pub(crate) fn client(&self) -> Client {
        self.running.client()
    }

    pub(crate) fn put(&self, name: &str) -> Response {
        put(&self.client(), name)
    }

    /// What `/readyz` answers: its status, and the document.
    pub(crate) fn readiness(&self) -> (u16, Value) {
        let answer = self.client().get("/readyz");
        (answer.status, answer.json())
    }

    pub(crate) fn command_redis(&self, words: &[&str]) {
        let mut redis = RedisConnection::open(self.redis.url()).expect("Redis");
        redis.command(words).expect("an answer of Redis");
    }

    pub(crate) fn query_database(&self, sql: &str) {
        self.running.database().unwrap().query_rows(sql);
    }

    /// The lines of the log that have all of these words.
    pub(crate) fn lines_with(&self, words: &[&str]) -> Vec<String> {
        let logs = self.running.logs();
        let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
        logs.lines().filter(has_all).map(str::to_owned).collect()
    }
}

pub(crate) fn put(client: &Client, name: &str) -> Response {
    client.put_json(&user_path(name), &json!({ "age": 1, "occupation": "x" }))
}
