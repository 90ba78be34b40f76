//! Telling a record that the server refuses from a server that cannot just now.
//!
//! The driver passes on an error's text and not its number, and the text comes
//! in the server's language. The server itself still knows: the connection's
//! diagnostics area has the number and the state of the last error, until the
//! next statement that is not about it.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::{AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection};

/// SQLSTATE classes of errors that lie in the record: a data exception, a
/// violated constraint, and what a trigger raised by SIGNAL.
const CLASSES: [&str; 3] = ["22", "23", "45"];
/// Errors of the same kind whose state is a general one on some servers: data
/// truncated, incorrect string value, no default value, no partition for the
/// value, a violated CHECK.
const NUMBERS: [i64; 5] = [1265, 1366, 1364, 1526, 3819];

#[derive(Debug, QueryableByName)]
struct Diagnosis {
    #[diesel(sql_type = Nullable<BigInt>)]
    number: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    state: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    message: Option<String>,
}

/// What the server has against the statement that just failed on `connection`,
/// if that is something that repeating it does not change. `None` also when the
/// server cannot be asked.
pub(super) async fn refusal(
    connection: &mut AsyncMysqlConnection,
    error: &diesel::result::Error,
) -> Option<String> {
    let count = "GET DIAGNOSTICS @count = NUMBER";
    connection.batch_execute(count).await.ok()?;
    // Notes and warnings come before the error that ended the statement.
    let copy = "GET DIAGNOSTICS CONDITION @count @number = MYSQL_ERRNO, \
                @state = RETURNED_SQLSTATE, @message = MESSAGE_TEXT";
    connection.batch_execute(copy).await.ok()?;
    let read = "SELECT CAST(@number AS SIGNED) AS number, CONVERT(@state USING utf8mb4) AS state, \
                CONVERT(@message USING utf8mb4) AS message";
    let diagnosis = diesel::sql_query(read).get_result(connection).await.ok()?;
    // Nothing of it may be left for the next error.
    let forget = "SET @number = NULL, @state = NULL, @message = NULL";
    connection.batch_execute(forget).await.ok()?;
    in_the_record(diagnosis, &error.to_string())
}

/// `error` is the text of the error that it is about: what else is in the
/// diagnostics area says nothing.
fn in_the_record(diagnosis: Diagnosis, error: &str) -> Option<String> {
    let (number, state) = (diagnosis.number?, diagnosis.state?);
    let refused = CLASSES.iter().any(|class| state.starts_with(class)) || NUMBERS.contains(&number);
    let message = diagnosis.message.unwrap_or_default();
    let is_the_error = !message.is_empty() && error.starts_with(&message);
    (refused && is_the_error).then(|| format!("error {number} ({state}): {message}"))
}
