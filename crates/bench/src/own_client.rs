//! What the database does for its own client.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use testkit::parts::Installation;
use testkit::servers::TestDatabase;

use crate::Result;
use crate::plan::Plan;
use crate::processor;

/// Rows of one statement.
const STATEMENT_ROWS: usize = 1000;

/// The `mariadb` program, and a table of its own that has the form of the service's.
#[derive(Debug)]
pub(crate) struct OwnClient {
    target: TestDatabase,
}

/// How the client did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) rows_per_second: f64,
    /// Processor time of the database for a row, in microseconds.
    pub(crate) database_us: f64,
}

impl OwnClient {
    /// An empty table.
    pub(crate) fn new(installation: &Installation) -> Result<OwnClient> {
        let target = TestDatabase::create();
        let source = database_of(installation)?.name();
        target.query_rows(&format!("CREATE TABLE users LIKE `{source}`.users"));
        Ok(OwnClient { target })
    }

    /// Writes the rows that the installation's database has, in the same order, a thousand in a statement that
    /// commits by itself. Rows that are there already are updated.
    pub(crate) fn write_rows_of(
        &self,
        plan: &Plan,
        installation: &Installation,
    ) -> Result<Written> {
        let rows = database_of(installation)?
            .query_rows("SELECT name, age, occupation, version FROM users ORDER BY id");
        let sql = statements(&rows)?;
        let database = plan.mariadb.as_raw_nonzero().get().unsigned_abs();
        let before_s = processor::seconds_of(database)?;
        let seconds = self.seconds_of(&sql)?;
        let used_s = processor::seconds_of(database)? - before_s;
        Ok(Written {
            rows_per_second: rows.len() as f64 / seconds,
            database_us: 1e6 * used_s / rows.len() as f64,
        })
    }

    /// How long one row takes in a statement that commits by itself, in milliseconds.
    pub(crate) fn single_insert_ms(&self, rows: usize) -> Result<f64> {
        let mut sql = String::new();
        for number in 0..rows {
            writeln!(
                sql,
                "INSERT INTO users (name, age, occupation, version) VALUES ('name {number}', 30, 'Engineer', {number});"
            )?;
        }
        Ok(1e3 * self.seconds_of(&sql)? / rows as f64)
    }

    /// How long the program takes for these statements.
    fn seconds_of(&self, sql: &str) -> Result<f64> {
        let socket = self.target.query_rows("SELECT @@socket");
        let socket = socket.first().and_then(|row| row.first());
        let began = Instant::now();
        let mut client = Command::new("mariadb")
            .args(["--no-defaults", "--user=root", "--password=root"])
            .arg(format!("--socket={}", socket.ok_or("no socket")?))
            .arg(self.target.name())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("mariadb: {error}"))?;
        let written = match client.stdin.take() {
            Some(mut stdin) => stdin.write_all(sql.as_bytes()),
            None => Ok(()),
        };
        let status = client.wait()?;
        let seconds = began.elapsed().as_secs_f64();
        written?;
        if !status.success() {
            return Err(format!("mariadb ended with {status}").into());
        }
        Ok(seconds)
    }
}

fn database_of(installation: &Installation) -> Result<&TestDatabase> {
    Ok(installation
        .database()
        .ok_or("the database is not a server")?)
}

fn statements(rows: &[Vec<String>]) -> Result<String> {
    let mut sql = String::new();
    for rows in rows.chunks(STATEMENT_ROWS) {
        sql += "INSERT INTO users (name, age, occupation, version, deleted_at) VALUES ";
        for (number, row) in rows.iter().enumerate() {
            let [name, age, occupation, version] = row.as_slice() else {
                return Err("not a user's row".into());
            };
            if number > 0 {
                sql.push(',');
            }
            // The names and values of user_body.rs, in which nothing needs to be quoted.
            write!(sql, "('{name}',{age},'{occupation}',{version},NULL)")?;
        }
        sql += " ON DUPLICATE KEY UPDATE age = VALUES(age), occupation = VALUES(occupation), \
                version = VALUES(version), deleted_at = VALUES(deleted_at);\n";
    }
    Ok(sql)
}
