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

/// How many conditions of a statement are looked at. Notes are switched off, so
/// there are few beside the error: where a trigger raised it, and such.
const CONDITIONS_MAX: usize = 8;

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
    let mut read = Vec::new();
    for place in 1..=CONDITIONS_MAX {
        let copy = format!(
            "GET DIAGNOSTICS CONDITION {place} @number_{place} = MYSQL_ERRNO, \
             @state_{place} = RETURNED_SQLSTATE, @message_{place} = MESSAGE_TEXT"
        );
        // There is no such condition, or no server any more.
        if connection.batch_execute(&copy).await.is_err() {
            break;
        }
        read.push(format!(
            "SELECT CAST(@number_{place} AS SIGNED) AS number, \
             CONVERT(@state_{place} USING utf8mb4) AS state, \
             CONVERT(@message_{place} USING utf8mb4) AS message"
        ));
    }
    if read.is_empty() {
        return None;
    }
    let read = diesel::sql_query(read.join(" UNION ALL "));
    let conditions: Vec<Diagnosis> = read.load(connection).await.ok()?;
    // Nothing of them may be left for the next error.
    for place in 1..=conditions.len() {
        let forget =
            format!("SET @number_{place} = NULL, @state_{place} = NULL, @message_{place} = NULL");
        connection.batch_execute(&forget).await.ok()?;
    }
    let error = error.to_string();
    conditions
        .into_iter()
        .find_map(|condition| in_the_record(condition, &error))
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
