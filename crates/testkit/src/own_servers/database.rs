//! A database server of a test's own: a MariaDB, or a MySQL where scripts/test was told to take one.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, Weak};

use rustix::process::getuid;
use tempfile::TempDir;

use super::folders::{copy_folder, own_folder};
use super::programs::{is_chosen, server_command};
use super::{OwnServer, free_port};
use crate::servers::query;

/// One line each, as MySQL wants it. They come at every start. A new MariaDB has the second user already,
/// without a password.
const INIT: &str = "ALTER USER 'root'@'localhost' IDENTIFIED BY 'root';\n\
    CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';\n\
    ALTER USER 'root'@'127.0.0.1' IDENTIFIED BY 'root';\n\
    GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n";

/// MySQL's own file with the id by which replicas know it.
const SERVER_ID: &str = "auto.cnf";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    MariaDb,
    MySql,
}

impl Kind {
    fn chosen() -> Kind {
        if is_chosen("mysqld") {
            Kind::MySql
        } else {
            Kind::MariaDb
        }
    }

    fn program(self) -> &'static str {
        match self {
            Kind::MariaDb => "mariadbd",
            Kind::MySql => "mysqld",
        }
    }

    /// What scripts/servers.sh gives the server too. MySQL demands TLS, so that nothing can go to it in plain
    /// text unnoticed. Without its performance schema, which nothing here reads, it starts in two thirds of
    /// the time; what makes a commit durable is as the server has it.
    fn options(self) -> &'static [&'static str] {
        match self {
            Kind::MariaDb => &["--innodb-flush-log-at-trx-commit=1"],
            Kind::MySql => &[
                "--mysqlx=OFF",
                "--secure-file-priv=NULL",
                "--require-secure-transport=ON",
                "--performance-schema=OFF",
            ],
        }
    }

    /// With MySQL, by TLS to a certificate that the server has signed itself.
    fn url_options(self) -> &'static str {
        match self {
            Kind::MariaDb => "",
            Kind::MySql => {
                "?require_ssl=true&verify_ca=false&verify_identity=false&prefer_socket=false"
            }
        }
    }

    /// A program of this kind, which reads no option file and allocates little.
    fn command(self, program: &str) -> Command {
        let mut command = server_command(program, "TEST_MYSQL_URL");
        command.args(["--no-defaults", "--innodb-buffer-pool-size=32M"]);
        command.arg(match self {
            Kind::MariaDb => "--innodb-log-file-size=16M",
            Kind::MySql => "--innodb-redo-log-capacity=32M",
        });
        if getuid().is_root() {
            // It wants to be told so.
            command.arg("--user=root");
        }
        command
    }

    /// Makes the data of a server on which nothing has run yet.
    fn initialise(self, folder: &Path) {
        let mut command = match self {
            Kind::MariaDb => {
                let mut command = self.command("mariadb-install-db");
                command.args(["--skip-test-db", "--auth-root-authentication-method=normal"]);
                command
            }
            Kind::MySql => {
                let mut command = self.command(self.program());
                command.args(["--initialize-insecure", "--secure-file-priv=NULL"]);
                command
            }
        };
        command.arg(with_path("--datadir", folder));
        // Not in a folder that others share: a server that starts removes the temporary tables there.
        let temporary = own_folder();
        command.env("TMPDIR", temporary.path());
        let output = command.output().expect("a program to make a database");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
    }
}

impl OwnServer {
    /// A MariaDB or MySQL as scripts/servers.sh starts it.
    pub fn database() -> Self {
        OwnServer::database_with(&[])
    }

    /// The same with more options, as on its command line.
    pub fn database_with(options: &[&str]) -> Self {
        let kind = Kind::chosen();
        OwnServer::database_of(kind, kind.url_options(), options)
    }

    /// One that does not speak TLS, of either kind.
    pub fn database_in_plain_text() -> Self {
        match Kind::chosen() {
            Kind::MariaDb => OwnServer::database(),
            Kind::MySql => {
                let without = ["--tls-version=", "--require-secure-transport=OFF"];
                OwnServer::database_of(Kind::MySql, "?prefer_socket=false", &without)
            }
        }
    }

    fn database_of(kind: Kind, url_options: &str, options: &[&str]) -> Self {
        let folder = own_folder();
        let port = free_port();
        let data = folder.path().join("data");
        copy_folder(template(kind).0.path(), &data);
        if kind == Kind::MySql {
            // It makes itself another one.
            fs::remove_file(data.join(SERVER_ID)).expect("the server's id");
        }
        fs::write(folder.path().join("init.sql"), INIT).expect("a file in the temporary folder");
        let mut command = kind.command(kind.program());
        for (option, file) in [
            ("--datadir", "data"),
            ("--tmpdir", ""),
            ("--socket", "database.sock"),
            ("--pid-file", "database.pid"),
            ("--init-file", "init.sql"),
        ] {
            command.arg(with_path(option, &folder.path().join(file)));
        }
        command
            .arg(format!("--port={port}"))
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve"])
            .arg("--max-connections=1000")
            .args(kind.options())
            .args(options);
        let url = format!("mysql://root:root@127.0.0.1:{port}{url_options}");
        OwnServer::start(url, command, is_ready, folder)
    }
}

/// Asks for the file of the process id, so that only the server started here counts.
fn is_ready(server: &OwnServer, _: &Child) -> bool {
    let own = server.folder.path().join("database.pid");
    query(&server.url, "SELECT @@pid_file")
        .is_ok_and(|rows| rows.iter().flatten().any(|file| Path::new(file) == own))
}

/// The data of a server on which nothing has run yet.
struct Template(TempDir);

/// Made once for all servers that live at the same time, and copied for each.
fn template(kind: Kind) -> Arc<Template> {
    static TEMPLATE: Mutex<Weak<Template>> = Mutex::new(Weak::new());
    let mut shared = TEMPLATE.lock().unwrap();
    if let Some(template) = shared.upgrade() {
        return template;
    }
    let folder = own_folder();
    kind.initialise(folder.path());
    let template = Arc::new(Template(folder));
    *shared = Arc::downgrade(&template);
    template
}

fn with_path(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(format!("{option}="));
    argument.push(path);
    argument
}
