//! The sets of parts that a service runs on, each made fresh for a test.

use std::path::Path;
use std::process::{Command, ExitStatus};

use tempfile::TempDir;

use crate::http::Client;
use crate::proxy::ChaosProxy;
use crate::servers::{TestDatabase, redis_url};
use crate::service::{Service, ServiceProcess};

/// What a service runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// Nothing configured: cache in the process, journal on disk, SQLite.
    Embedded,
    /// The tests' Redis, and a database of the test's own on their MySQL or MariaDB.
    RedisMariaDb,
}

impl Parts {
    /// Every set, for tests that hold on all of them.
    pub fn all() -> [Parts; 2] {
        [Parts::Embedded, Parts::RedisMariaDb]
    }

    /// Whether the cache is still filled when the service starts again.
    pub fn cache_outlives_service(self) -> bool {
        match self {
            Parts::Embedded => false,
            Parts::RedisMariaDb => true,
        }
    }

    /// Starts the service on fresh parts.
    pub fn start(self, service: Service) -> RunningService {
        self.start_with(service, &[])
    }

    /// The same with more settings in its environment.
    pub fn start_with(self, service: Service, env: &[(&str, &str)]) -> RunningService {
        let mut installation = self.install(service);
        for (name, value) in env {
            installation.set(name, value);
        }
        installation.run()
    }

    /// Fresh parts on which nothing runs yet.
    pub fn install(self, service: Service) -> Installation {
        match self {
            Parts::Embedded => Installation {
                service,
                settings: Vec::new(),
                database: None,
                folder: TempDir::new().expect("a temporary folder"),
            },
            Parts::RedisMariaDb => Installation::on(service, &redis_url(), TestDatabase::create()),
        }
    }
}

/// A service's settings and parts, and the folder that it runs in. Dropping it removes them.
#[derive(Debug)]
pub struct Installation {
    service: Service,
    settings: Vec<(String, String)>,
    database: Option<TestDatabase>,
    folder: TempDir,
}

impl Installation {
    /// On a Redis and a database that the caller has chosen.
    pub fn on(service: Service, redis_url: &str, database: TestDatabase) -> Self {
        let settings = [
            ("CACHE_URL", redis_url.to_owned()),
            ("DATABASE_URL", database.url()),
        ];
        Installation {
            service,
            settings: settings
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            database: Some(database),
            folder: TempDir::new().expect("a temporary folder"),
        }
    }

    /// The value of a setting that was made.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let mut settings = self.settings.iter().rev();
        let found = settings.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The settings in the environment, the last one of a name being the one that counts.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        let settings = self.settings.iter();
        settings.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The binary with these settings, for a test that runs it to its end.
    pub fn command(&self) -> Command {
        let mut command = self.service.command();
        command
            .envs(self.settings())
            .current_dir(self.folder.path());
        command
    }

    /// The folder that the service runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database, unless the parts are embedded.
    pub fn database(&self) -> Option<&TestDatabase> {
        self.database.as_ref()
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Puts a proxy before the server that a setting names, for the next start.
    ///
    /// # Panics
    ///
    /// When the setting was not made.
    pub fn proxy_before(&mut self, name: &str) -> ChaosProxy {
        let url = self.setting(name).expect("a server").to_owned();
        let proxy = ChaosProxy::before(&url);
        self.set(name, &proxy.url(&url));
        proxy
    }

    /// Spreads the data over so many shards in Redis, before the first start.
    ///
    /// # Panics
    ///
    /// When the parts have no database of their own, or its tables cannot be made.
    pub fn spread_over(&self, shards: u16) {
        let migrated = self.command().arg("migrate").output();
        let migrated = migrated.expect("the service runs");
        assert!(migrated.status.success(), "{migrated:?}");
        let database = self.database().expect("a database");
        database.query_rows(&format!("UPDATE cache_binding SET shards = {shards}"));
    }

    /// Starts either service on these parts. The process must be dropped before this value.
    pub fn start(&self, service: Service) -> ServiceProcess {
        let env: Vec<(&str, &str)> = self.settings().collect();
        ServiceProcess::start_in(self.folder.path(), service, &env)
    }

    /// Starts the service that this was installed for, and keeps both together.
    pub fn run(self) -> RunningService {
        RunningService {
            process: self.start(self.service),
            installation: self,
        }
    }
}

/// A service together with the parts it runs on. Dropping it stops the service, then removes the parts.
#[derive(Debug)]
pub struct RunningService {
    // The fields are dropped in this order.
    process: ServiceProcess,
    installation: Installation,
}

impl RunningService {
    /// Which service it is.
    pub fn service(&self) -> Service {
        self.installation.service
    }

    /// `http://127.0.0.1:PORT`. Each start has a port of its own.
    pub fn base_url(&self) -> &str {
        self.process.base_url()
    }

    /// A client of the process that runs now.
    pub fn client(&self) -> Client {
        self.process.client()
    }

    /// The process that runs now.
    pub fn process(&mut self) -> &mut ServiceProcess {
        &mut self.process
    }

    /// The output of the process that runs now.
    pub fn logs(&self) -> String {
        self.process.logs()
    }

    /// The folder that the service runs in.
    pub fn folder(&self) -> &Path {
        self.installation.folder()
    }

    /// The database, unless the parts are embedded.
    pub fn database(&self) -> Option<&TestDatabase> {
        self.installation.database()
    }

    /// The settings and parts.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.installation.set(name, value);
    }

    /// Stops the service by SIGTERM and starts it again on the same data.
    ///
    /// # Panics
    ///
    /// When it does not end with exit code 0.
    pub fn restart(&mut self) {
        let status = self.process.terminate();
        assert!(
            status.success(),
            "{} ended with {status}",
            self.service().name()
        );
        self.start_again();
    }

    /// Kills the service by SIGKILL and starts it again on the same data.
    pub fn crash_and_restart(&mut self) {
        self.process.kill_9();
        self.start_again();
    }

    /// Starts the service again on the same data, after a test has ended it by itself.
    ///
    /// # Panics
    ///
    /// When it still runs.
    pub fn start_again(&mut self) {
        assert!(
            self.process.exit_status_now().is_some(),
            "{} still runs",
            self.service().name()
        );
        self.process = self.installation.start(self.service());
    }

    /// Stops the service by SIGTERM for good; the parts remain until this value is dropped.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.terminate()
    }

    /// Starts another process with the same settings and parts: a replica of this service, or the other
    /// service. Only for parts that may be shared. It must be dropped before this value.
    pub fn start_beside(&self, service: Service) -> ServiceProcess {
        self.installation.start(service)
    }
}
