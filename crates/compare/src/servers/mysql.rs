//! MySQL and MariaDB.

mod plain;
mod rows;
mod status;

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::server_url::ServerUrl;

pub(crate) use plain::PlainTable;
pub use rows::rows;
pub use status::{Counts, StatusReader};

/// How long connecting, or one statement, may take.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// The server's errors for what a user may not do.
const MAY_NOT: [u16; 3] = [1044, 1142, 1227];
/// Its error for a table that is not there.
const NO_SUCH_TABLE: u16 = 1146;

/// Characters of a database's identity: hexadecimal digits.
const IDENTITY_CHARS: usize = 16;

/// Creates an empty database.
///
/// # Errors
/// When the server cannot be reached, or does not let this user do that.
pub async fn create_database(server: &ServerUrl, name: &str) -> Result<()> {
    let made = run(
        server,
        format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4"),
    )
    .await;
    made.map_err(|why| in_words(server, "create", name, &why))
}

/// Drops a database, if it is there.
///
/// # Errors
/// When the server cannot be reached, or does not let this user do that.
pub async fn drop_database(server: &ServerUrl, name: &str) -> Result<()> {
    let dropped = run(server, format!("DROP DATABASE IF EXISTS `{name}`")).await;
    dropped.map_err(|why| in_words(server, "drop", name, &why))
}

/// The name by which caches know the data of the database that the URL names; `None` where no
/// service has been at it yet.
///
/// # Errors
/// When the server cannot be reached or does not answer as it should.
pub async fn identity(database: &ServerUrl) -> Result<Option<String>> {
    let ask = async {
        let mut connection = connect(database).await?;
        let asked = connection
            .query_first("SELECT identity FROM users_identity WHERE id = 1")
            .await;
        disconnect(connection).await;
        asked
    };
    let identity: Option<String> = match within(ask).await {
        Err(Failure::Driver(mysql_async::Error::Server(error))) if error.code == NO_SUCH_TABLE => {
            None
        }
        asked => asked.map_err(|why| Error::failed(format!("asking {database}"), why))?,
    };
    // IMPORTANT: it becomes part of a pattern of what is removed from Redis.
    let is_one = |identity: &String| {
        identity.len() == IDENTITY_CHARS && identity.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    Ok(identity.filter(is_one))
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no answer in {} s", WAIT_TIMEOUT.as_secs())]
    Late,
    #[error(transparent)]
    Driver(#[from] mysql_async::Error),
}

/// Cuts off what takes too long.
async fn within<T>(
    ask: impl Future<Output = mysql_async::Result<T>>,
) -> std::result::Result<T, Failure> {
    match timeout(WAIT_TIMEOUT, ask).await {
        Ok(asked) => Ok(asked?),
        Err(_) => Err(Failure::Late),
    }
}

/// A connection to what the URL names.
async fn connect(url: &ServerUrl) -> mysql_async::Result<Conn> {
    Conn::new(Opts::from_url(url.expose())?).await
}

/// Says goodbye. Where that fails the connection has ended as well.
async fn disconnect(connection: Conn) {
    let _ = connection.disconnect().await;
}

async fn run(server: &ServerUrl, statement: String) -> std::result::Result<(), Failure> {
    // The user may have no right to see the database that the URL names, if there is one.
    let server = server.with_database("");
    within(async move {
        let mut connection = connect(&server).await?;
        let done = connection.query_drop(statement).await;
        disconnect(connection).await;
        done
    })
    .await
}

fn in_words(server: &ServerUrl, what: &str, name: &str, why: &Failure) -> Error {
    match why {
        Failure::Driver(mysql_async::Error::Server(error)) if MAY_NOT.contains(&error.code) => {
            Error::Failed(format!(
                "the user of {server} may not {what} databases, and each service gets one of its \
                 own: let it CREATE and DROP `compare_%`"
            ))
        }
        why => Error::failed(format!("to {what} database {name} on {server}"), why),
    }
}
