//! Telling a refused record from an unavailable server, by the number and the SQLSTATE of the error.
//!
//! The driver passes on an error's text and nothing else. The text is not reliable: it comes in the
//! server's language, a trigger may make it up, and the server escapes some of its characters on the
//! way. But the connection's diagnostics area has the conditions of the last statement, until the next
//! statement that is not about them.

use std::sync::LazyLock;

use diesel::QueryableByName;
use diesel::result::DatabaseErrorKind;
use diesel::result::Error::DatabaseError;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::{AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection};

use crate::store::transaction::TransactionError;

/// SQLSTATE classes of errors that lie in the record: a CASE without a branch for it, a data
/// exception, a violated constraint, a violated CHECK OPTION, and what a trigger raised by
/// SIGNAL.
const CLASSES: [&str; 5] = ["20", "22", "23", "44", "45"];
/// Errors of the same kind that have a general state on some servers: data truncated,
/// incorrect string value, no default value, no partition for the value, a violated CHECK, what
/// MySQL 8 and later say of a character that the column's character set does not have, an
/// invalid character, a time that a function cannot read, and a violated CHECK OPTION.
const NUMBERS: [i64; 9] = [1265, 1366, 1364, 1526, 3819, 3988, 1300, 1411, 1369];
/// What SIGNAL raises where it does not name a number, whatever its state.
const SIGNAL: i64 = 1644;
const SIGNAL_CLASS: &str = "45";

/// A column that cannot be NULL would be.
const CANNOT_BE_NULL: i64 = 1048;
/// The transaction was rolled back, because of a conflict with another one: a deadlock, or a
/// conflict that a cluster found at COMMIT.
const ROLLED_BACK: [&str; 2] = ["40000", "40001"];
/// COMMIT failed. The transaction was rolled back if the text has the storage engine's number of a
/// deadlock: clusters report a conflict in that way.
const FAILED_AT_COMMIT: i64 = 1180;
const DEADLOCK_OF_ENGINE: &str = "149";
/// Another transaction, or a statement that locks the table, did not release its lock
/// in time.
const LOCK_WAIT_TIMEOUT: i64 = 1205;

/// How many conditions of a statement are looked at. Notes are switched off, so there are few
/// beside the error: one for each VALUES() in an `Upsert` that MySQL 8 or later has just
/// prepared, since they are deprecated there.
pub(super) const CONDITIONS_MAX: usize = 32;

/// Copies all conditions, since MySQL forgets them at the next statement that is not about them.
/// A condition that is missing counts as one more error; the statement does not fail.
static COPY: LazyLock<String> = LazyLock::new(|| {
    let one = |place| {
        format!(
            "; GET DIAGNOSTICS CONDITION {place} @number_{place} = MYSQL_ERRNO, \
             @state_{place} = RETURNED_SQLSTATE, @message_{place} = MESSAGE_TEXT"
        )
    };
    let all: String = (1..=CONDITIONS_MAX).map(one).collect();
    format!("GET DIAGNOSTICS @conditions = NUMBER{all}")
});

const COUNT: &str = "SET @errors = @@error_count, @room = @@max_error_count";

/// Reads the first error. Warnings come before it, since it ends the statement; MariaDB adds further
/// errors after it. If the diagnostics area is full, the error may be missing.
static READ: LazyLock<String> = LazyLock::new(|| {
    let one = |place| {
        format!(
            "SELECT CAST(@number_{place} AS SIGNED) AS number, \
             CONVERT(@state_{place} USING utf8mb4) AS state, \
             CONVERT(@message_{place} USING utf8mb4) AS message \
             FROM DUAL WHERE {place} = CAST(@conditions AS SIGNED) + 1 - CAST(@errors AS SIGNED) \
             + GREATEST({CONDITIONS_MAX} - CAST(@conditions AS SIGNED), 0) \
             AND @conditions < @room"
        )
    };
    let all: Vec<String> = (1..=CONDITIONS_MAX).map(one).collect();
    all.join(" UNION ALL ")
});

/// Clears the copy, so that nothing of it is left for the next error.
static FORGET: LazyLock<String> = LazyLock::new(|| {
    let one =
        |place| format!(", @number_{place} = NULL, @state_{place} = NULL, @message_{place} = NULL");
    let all: String = (1..=CONDITIONS_MAX).map(one).collect();
    format!("SET @conditions = NULL, @errors = NULL, @room = NULL{all}")
});

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
/// it again. `None` also when the server cannot be asked, as after an error of the driver
/// itself, which ends the connection.
pub(in crate::store) async fn diagnose(
    connection: &mut AsyncMysqlConnection,
    error: &diesel::result::Error,
) -> Option<TransactionError> {
    let DatabaseError(kind, _) = error else {
        return None;
    };
    connection.batch_execute(&COPY).await.ok()?;
    connection.batch_execute(COUNT).await.ok()?;
    let read = diesel::sql_query(&*READ).load(connection).await;
    let conditions: Vec<Diagnosis> = read.ok()?;
    connection.batch_execute(&FORGET).await.ok()?;
    meaning(conditions.into_iter().next()?, kind)
}

fn meaning(diagnosis: Diagnosis, kind: &DatabaseErrorKind) -> Option<TransactionError> {
    let (number, state) = (diagnosis.number?, diagnosis.state?);
    let message = diagnosis.message.unwrap_or_default();
    if !is_of(number, kind) {
        return None;
    }
    let refused = || {
        Some(TransactionError::Refused(format!(
            "error {number} ({state}): {message}"
        )))
    };
    // IMPORTANT: first, since a trigger may give what it raises any number.
    if number == SIGNAL || state.starts_with(SIGNAL_CLASS) {
        return refused();
    }
    match number {
        _ if ROLLED_BACK.contains(&&*state) => Some(TransactionError::Deadlocked),
        FAILED_AT_COMMIT if names(&message, DEADLOCK_OF_ENGINE) => {
            Some(TransactionError::Deadlocked)
        }
        LOCK_WAIT_TIMEOUT => Some(TransactionError::Locked),
        // What `Upsert` does to a statement of another epoch. The name of a
        // column is the same in every language.
        CANNOT_BE_NULL if message.contains("'version'") => Some(TransactionError::Fenced),
        _ if CLASSES.iter().any(|class| state.starts_with(class)) => refused(),
        _ if NUMBERS.contains(&number) => refused(),
        _ => None,
    }
}

/// Whether an error with this number may be of this `kind` to the driver.
fn is_of(number: i64, kind: &DatabaseErrorKind) -> bool {
    match kind {
        DatabaseErrorKind::UniqueViolation => matches!(number, 1062 | 1586 | 1859),
        DatabaseErrorKind::NotNullViolation => matches!(number, CANNOT_BE_NULL | 1364),
        DatabaseErrorKind::CheckViolation => number == 3819,
        _ => true,
    }
}

/// Whether `number` is one of the numbers in a text.
fn names(text: &str, number: &str) -> bool {
    let mut numbers = text.split(|character: char| !character.is_ascii_digit());
    numbers.any(|found| found == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning_of(number: i64, state: &str, message: &str) -> Option<TransactionError> {
        let diagnosis = Diagnosis {
            number: Some(number),
            state: Some(state.to_owned()),
            message: Some(message.to_owned()),
        };
        meaning(diagnosis, &DatabaseErrorKind::Unknown)
    }

    /// As MySQL with Group Replication and MariaDB with Galera put it.
    #[test]
    fn a_conflict_of_a_cluster_is_a_deadlock() {
        let got_149 = "Got error 149 - 'Lock deadlock; Retry transaction' during COMMIT";
        for (number, state, message) in [
            (1213, "40001", "Deadlock found when trying to get lock"),
            (3101, "40000", "Plugin instructed the server to rollback"),
            (1180, "HY000", got_149),
            (1180, "HY000", "Fehler 149 beim COMMIT"),
        ] {
            let meaning = meaning_of(number, state, message);
            assert!(
                matches!(meaning, Some(TransactionError::Deadlocked)),
                "{meaning:?}"
            );
        }
        for (number, state, message) in [
            (
                1180,
                "HY000",
                "Got error 28 - 'No space left' during COMMIT",
            ),
            (1180, "HY000", "Got error 1149 during COMMIT"),
            (1317, "70100", "Query execution was interrupted"),
        ] {
            let meaning = meaning_of(number, state, message);
            assert!(meaning.is_none(), "{meaning:?}");
        }
    }

    #[test]
    fn a_signal_is_a_refusal_by_any_number_and_state() {
        for (number, state) in [
            (1644, "HY000"),
            (1644, "40001"),
            (1205, "45000"),
            (1213, "45999"),
        ] {
            let meaning = meaning_of(number, state, "");
            assert!(
                matches!(meaning, Some(TransactionError::Refused(_))),
                "{meaning:?}"
            );
        }
    }

    #[test]
    fn an_error_of_another_kind_is_not_taken_for_this_one() {
        let diagnosis = Diagnosis {
            number: Some(1265),
            state: Some("01000".to_owned()),
            message: None,
        };
        assert!(meaning(diagnosis, &DatabaseErrorKind::UniqueViolation).is_none());
    }
}
