//! A Redis and a database server that speak TLS, and a database for one test.

use std::process::Output;
use std::time::{Duration, Instant};

use testkit::certificates::{Authority, CertificateFiles, Validity};
use testkit::http::{Client, user_path};
use testkit::own_servers::{AppendFsync, OwnServer, free_port};
use testkit::parts::Installation;
use testkit::redis_connection::RedisConnection;
use testkit::servers::TestDatabase;
use testkit::service::{Service, ServiceProcess, run_to_end};

/// Within which a service must have ended that waits for nothing: well before `STARTUP_DEADLINE_S`,
/// which is set to [`STARTUP_DEADLINE_S`].
pub(crate) const SOON: Duration = Duration::from_secs(25);
const STARTUP_DEADLINE_S: &str = "50";

/// The user that the database lets in by TLS only, and the one of whom it wants a client certificate.
pub(crate) const TLS_USER: &str = "by_tls";
pub(crate) const CERTIFIED_USER: &str = "by_certificate";
const PASSWORD: &str = "sesame";

/// What the servers' certificates are for.
pub(crate) const HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

/// Whether Redis wants certificates of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clients {
    Anybody,
    Certified,
}

/// A Redis that speaks TLS on one port, and nothing but what the tests ask on another.
pub(crate) struct TlsRedis {
    pub(crate) server: OwnServer,
    pub(crate) port: u16,
    /// The files that it reads when it starts.
    pub(crate) files: CertificateFiles,
}

impl TlsRedis {
    pub(crate) fn start(authority: &Authority, files: CertificateFiles, clients: Clients) -> Self {
        let port = free_port();
        let [certificate, key] = files.paths();
        let auth_clients = match clients {
            Clients::Anybody => "no",
            Clients::Certified => "yes",
        };
        let options = [
            ["--tls-port", &port.to_string()],
            ["--tls-cert-file", certificate],
            ["--tls-key-file", key],
            ["--tls-ca-cert-file", authority.ca_file()],
            ["--tls-auth-clients", auth_clients],
        ];
        TlsRedis {
            server: OwnServer::redis_with(AppendFsync::Always, options.as_flattened()),
            port,
            files,
        }
    }

    /// `rediss://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.port)
    }

    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let mut redis = RedisConnection::open(self.server.url()).unwrap();
        redis.ask(words).unwrap()
    }

    /// How many connections of others there are on the port for TLS and on the plain one, those that
    /// subscribe counted by themselves too.
    pub(crate) fn connections(&self) -> Connections {
        let clients = self.ask(&["CLIENT", "LIST"]);
        let own = |line: &&str| line.contains(" cmd=client");
        let others: Vec<&str> = clients.lines().filter(|line| !own(line)).collect();
        let is_tls = |line: &&&str| line.contains(&format!(" laddr=127.0.0.1:{} ", self.port));
        let by_tls = others.iter().filter(is_tls);
        Connections {
            by_tls: by_tls.clone().count(),
            subscribed_by_tls: by_tls.filter(|line| line.contains(" sub=1 ")).count(),
            plain: others.iter().filter(|line| !is_tls(line)).count(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connections {
    pub(crate) by_tls: usize,
    pub(crate) subscribed_by_tls: usize,
    pub(crate) plain: usize,
}

/// A database server that speaks TLS where it is asked to; MySQL speaks nothing else.
pub(crate) fn tls_database(authority: &Authority, files: &CertificateFiles) -> OwnServer {
    let [certificate, key] = files.paths();
    OwnServer::database_with(&[
        &format!("--ssl-cert={certificate}"),
        &format!("--ssl-key={key}"),
        &format!("--ssl-ca={}", authority.ca_file()),
    ])
}

/// A database with [`TLS_USER`] and [`CERTIFIED_USER`].
pub(crate) fn database_on(server: &OwnServer) -> TestDatabase {
    let database = TestDatabase::create_on(server.url());
    for (user, required) in [(TLS_USER, "SSL"), (CERTIFIED_USER, "X509")] {
        for statement in [
            format!("CREATE USER IF NOT EXISTS {user}@'127.0.0.1'"),
            format!("ALTER USER {user}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}' REQUIRE {required}"),
        ] {
            database.query_rows(&statement);
        }
        database.query_rows(&format!("GRANT ALL ON *.* TO {user}@'127.0.0.1'"));
    }
    database
}

/// The URL of the database for one of those.
pub(crate) fn url_for(user: &str, database: &TestDatabase, server: &OwnServer) -> String {
    let (port, name) = (server.port(), database.name());
    format!("mysql://{user}:{PASSWORD}@127.0.0.1:{port}/{name}")
}

/// Servers whose certificates are as they should be.
pub(crate) struct Site {
    pub(crate) redis: TlsRedis,
    pub(crate) database: OwnServer,
    pub(crate) database_files: CertificateFiles,
    pub(crate) authority: Authority,
}

impl Site {
    pub(crate) fn start(clients: Clients) -> Self {
        let authority = Authority::new("the site's CA");
        let files = || authority.server(&HOSTS, Validity::Valid);
        let database_files = files();
        Site {
            redis: TlsRedis::start(&authority, files(), clients),
            database: tls_database(&authority, &database_files),
            database_files,
            authority,
        }
    }

    /// Settings with which a service trusts both, and shows nothing.
    pub(crate) fn install(&self, service: Service) -> Installation {
        let database = database_on(&self.database);
        let url = url_for(TLS_USER, &database, &self.database);
        let mut installation = Installation::on(service, &self.redis.url(), database);
        installation.set("DATABASE_URL", &url);
        installation.set("CACHE_CA_FILE", self.authority.ca_file());
        installation.set("DATABASE_CA_FILE", self.authority.ca_file());
        installation.set("STARTUP_DEADLINE_S", STARTUP_DEADLINE_S);
        installation
    }
}

/// Writes, reads and deletes users through a running service.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) service: Service,
    pub(crate) client: Client,
}

impl Api {
    pub(crate) fn of(service: Service, process: &ServiceProcess) -> Self {
        let client = process.client();
        Api { service, client }
    }

    /// The status of the answer.
    pub(crate) fn write(&self, name: &str) -> u16 {
        let user = serde_json::json!({"name": name, "age": 30, "occupation": "Engineer"});
        self.client
            .post_json(self.service.write_path(), &user)
            .status
    }

    pub(crate) fn read(&self, name: &str) -> u16 {
        self.client.get(&user_path(name)).status
    }

    /// Returns when the database has everything.
    #[track_caller]
    pub(crate) fn flush(&self) {
        if self.service == Service::WriteBehind {
            let flush = "/flush?timeout_s=30";
            let answer = self.client.request("POST", flush, &[], None);
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
}

/// Runs a service that must end by itself at its first attempt.
#[track_caller]
pub(crate) fn expect_ended_at_once(installation: &Installation, sentence: &str) {
    let said = expect_ended(installation, sentence);
    assert!(!said.contains("waiting for a part"), "{said}");
}

/// Runs a service that must end by itself, soon, with exit code 1 and this sentence; returns all that it
/// said. What a server says after the handshake may be lost when it ends the connection, and is heard at
/// the next attempt.
#[track_caller]
pub(crate) fn expect_ended(installation: &Installation, sentence: &str) -> String {
    let began = Instant::now();
    let Output { status, stderr, .. } = run_to_end(&mut installation.command());
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(sentence), "{sentence}: {said}");
    assert!(!said.contains(PASSWORD), "{said}");
    assert!(began.elapsed() < SOON, "{:?}: {said}", began.elapsed());
    said
}
