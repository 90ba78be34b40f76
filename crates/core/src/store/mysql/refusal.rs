//! Telling a record that the server refuses from a server that cannot just now.
//!
//! The driver passes on an error's text and not its number, and the text comes
//! in the server's language. The server itself still knows: the connection's
//! diagnostics area has the number and the state of the last error, until the
//! next statement that is not about it.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::{AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection};

use crate::store::transaction::Failed;

/// SQLSTATE classes of errors that lie in the record: a data exception, a
/// violated constraint, and what a trigger raised by SIGNAL.
const CLASSES: [&str; 3] = ["22", "23", "45"];
/// Errors of the same kind whose state is a general one on some servers: data
/// truncated, incorrect string value, no default value, no partition for the
/// value, a violated CHECK, and what MySQL 8 and later say of a character that the
/// column's character set does not have.
const NUMBERS: [i64; 6] = [1265, 1366, 1364, 1526, 3819, 3988];

/// A column that cannot be NULL would be.
const CANNOT_BE_NULL: i64 = 1048;
/// The transaction was rolled back, since another one waited for it as it did for
/// that.
const DEADLOCK: i64 = 1213;

/// How many conditions of a statement are looked at. Notes are switched off, so
/// there are few beside the error: where a trigger raised it, and such; and one for
/// each VALUES() in an `Upsert` that MySQL 8 or later has just prepared, since they are
/// deprecated there, which comes before an error in a parameter.
pub(super) const CONDITIONS_MAX: usize = 32;

#[derive(Debug, QueryableByName)]
struct Diagnosis {
    #[diesel(sql_type = Nullable<BigInt>)]
    number: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    state: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    message: Option<String>,
}

/// Why the statement that just failed on `connection` did, if it matters for doing
/// it again. `None` also when the server cannot be asked.
pub(in crate::store) async fn diagnose(
    connection: &mut AsyncMysqlConnection,
    error: &diesel::result::Error,
) -> Option<Failed> {
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
        .find_map(|condition| meaning(condition, &error))
}

/// `error` is the text of the error that it is about: what else is in the
/// diagnostics area says nothing.
fn meaning(diagnosis: Diagnosis, error: &str) -> Option<Failed> {
    let (number, state) = (diagnosis.number?, diagnosis.state?);
    let message = diagnosis.message.unwrap_or_default();
    if message.is_empty() || !error.starts_with(&message) {
        return None;
    }
    let refused = CLASSES.iter().any(|class| state.starts_with(class)) || NUMBERS.contains(&number);
    match number {
        DEADLOCK => Some(Failed::Deadlocked(message)),
        // What `Upsert` does to a statement of another epoch. The name of a
        // column is the same in every language.
        CANNOT_BE_NULL if message.contains("'version'") => Some(Failed::Fenced),
        _ => refused.then(|| Failed::Refused(format!("error {number} ({state}): {message}"))),
    }
}
