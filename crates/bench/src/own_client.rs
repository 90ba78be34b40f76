//! What the database does for its own client.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use test_support::parts::Installation;
use test_support::servers::TestDatabase;

use crate::Result;

/// Rows of one statement.
const STATEMENT_ROWS: usize = 1000;

/// How fast `mariadb` writes the rows that the installation's database has, in the same order, into a
/// table of the same form, a thousand in a statement that commits by itself.
pub(crate) fn rows_per_second(installation: &Installation) -> Result<f64> {
    let source = installation
        .database()
        .ok_or("the database is not a server")?;
    let rows = source.query_rows("SELECT name, age, occupation, version FROM users ORDER BY id");
    let sql = statements(&rows)?;
    let target = TestDatabase::create();
    target.query_rows(&format!(
        "CREATE TABLE users LIKE `{}`.users",
        source.name()
    ));
    Ok(rows.len() as f64 / seconds_of(&target, &sql)?)
}

/// How long `mariadb` takes for a row in a statement that commits by itself, in milliseconds.
pub(crate) fn single_insert_ms(rows: usize) -> Result<f64> {
    let target = TestDatabase::create();
    target.query_rows(include_str!(
        "../../../migrations/mysql/00000000000001_create_users/up.sql"
    ));
    let mut sql = String::new();
    for number in 0..rows {
        writeln!(
            sql,
            "INSERT INTO users (name, age, occupation, version) VALUES ('name {number}', 30, 'Engineer', {number});"
        )?;
    }
    Ok(1e3 * seconds_of(&target, &sql)? / rows as f64)
}

/// How long `mariadb` takes for these statements.
fn seconds_of(target: &TestDatabase, sql: &str) -> Result<f64> {
    let socket = target.query_rows("SELECT @@socket");
    let socket = socket.first().and_then(|row| row.first());
    let began = Instant::now();
    let mut client = Command::new("mariadb")
        .args(["--no-defaults", "--user=root", "--password=root"])
        .arg(format!("--socket={}", socket.ok_or("no socket")?))
        .arg(target.name())
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
            // The names and values of lua/unique.lua, in which nothing needs to be quoted.
            write!(sql, "('{name}',{age},'{occupation}',{version},NULL)")?;
        }
        sql += " ON DUPLICATE KEY UPDATE age = VALUES(age), occupation = VALUES(occupation), \
                version = VALUES(version), deleted_at = VALUES(deleted_at);\n";
    }
    Ok(sql)
}
