//! The state that every session of the database is in before it is used.
//!
//! A session begins with what the server, its `init_connect` and a proxy have made of it. The
//! promises rest on some of that, so it is set, and read back once: a server that does not
//! take a value is refused rather than trusted.

use std::collections::HashMap;
use std::fmt::Write as _;

use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::{AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection};

use super::refusal::CONDITIONS_MAX;
use crate::error::{Error, Part, Result};

/// One variable of a session.
struct Variable {
    name: &'static str,
    on: Servers,
    wanted: Wanted,
    why: &'static str,
}

/// The servers that have a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Servers {
    Both,
    MariaDb,
    MySql,
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    /// Set to this, as the server shows it.
    Is(&'static str),
    /// Not set, since an ordinary user may not.
    AtLeast(u64),
}

use Servers::{Both, MariaDb, MySql};
use Wanted::{AtLeast, Is};

const fn variable(name: &'static str, on: Servers, wanted: Wanted, why: &'static str) -> Variable {
    Variable {
        name,
        on,
        wanted,
        why,
    }
}

/// How long a statement waits for a row. One that another transaction has locked holds up
/// all that is in one statement with it, so this is the shortest that MySQL has.
const ROW_LOCK_WAIT_S: &str = "1";
/// How long it waits for a table: well below DATABASE_TIMEOUT_MS, so that the outcome is
/// known.
const TABLE_LOCK_WAIT_S: &str = "2";

/// Larger than the largest statement: `ROWS_MAX` rows with the longest texts are 2.2 MB.
const PACKET_BYTES_MIN: u64 = 4 << 20;

/// In the order in which they are set: a connection's collation follows its character set.
#[rustfmt::skip]
const VARIABLES: &[Variable] = &[
    variable("autocommit", Both, Is("ON"), "a statement is committed when it is answered"),
    variable("completion_type", Both, Is("NO_CHAIN"), "a COMMIT begins no new transaction and ends no connection"),
    variable("transaction_isolation", MySql, Is("READ-COMMITTED"), READS),
    variable("tx_isolation", MariaDb, Is("READ-COMMITTED"), READS),
    variable("transaction_read_only", MySql, Is("OFF"), WRITES),
    variable("tx_read_only", MariaDb, Is("OFF"), WRITES),
    variable("sql_mode", Both, Is("STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"), "bad data is an error and is not cut to fit"),
    variable("time_zone", Both, Is("+00:00"), "times are in UTC"),
    variable("character_set_client", Both, Is("utf8mb4"), TEXTS),
    variable("character_set_connection", Both, Is("utf8mb4"), TEXTS),
    variable("collation_connection", Both, Is("utf8mb4_bin"), "texts are compared byte for byte"),
    variable("character_set_results", Both, Is("utf8mb4"), TEXTS),
    variable("sql_safe_updates", Both, Is("OFF"), "no statement is refused for its WHERE"),
    variable("sql_select_limit", Both, Is("18446744073709551615"), ANSWERS),
    variable("sql_big_selects", Both, Is("ON"), ANSWERS),
    variable("max_statement_time", MariaDb, Is("0.000000"), ANSWERS),
    variable("max_execution_time", MySql, Is("0"), ANSWERS),
    variable("max_sort_length", Both, Is("1024"), "names are sorted by all of their bytes"),
    variable("sql_auto_is_null", Both, Is("OFF"), "IS NULL finds nothing but NULL"),
    variable("unique_checks", Both, Is("ON"), "a name has one row"),
    variable("foreign_key_checks", Both, Is("ON"), CONSTRAINTS),
    variable("check_constraint_checks", MariaDb, Is("ON"), CONSTRAINTS),
    variable("default_storage_engine", Both, Is("InnoDB"), "tables have transactions"),
    variable("lock_wait_timeout", Both, Is(TABLE_LOCK_WAIT_S), "a statement ends soon after its caller has given up"),
    variable("innodb_lock_wait_timeout", Both, Is(ROW_LOCK_WAIT_S), "a locked row holds up no other name"),
    // MySQL can only be told to end a connection that is silent, in a transaction or not.
    variable("idle_transaction_timeout", MariaDb, Is("15"), STOPPED),
    variable("idle_readonly_transaction_timeout", MariaDb, Is("15"), STOPPED),
    variable("idle_write_transaction_timeout", MariaDb, Is("15"), STOPPED),
    variable("wait_timeout", Both, Is("60"), STOPPED),
    // The diagnostics area has room for the error behind them.
    variable("sql_notes", Both, Is("OFF"), REFUSALS),
    variable("max_error_count", Both, AtLeast(CONDITIONS_MAX as u64), REFUSALS),
    variable("max_allowed_packet", Both, AtLeast(PACKET_BYTES_MIN), "the server takes the largest batch"),
];

/// Only looked at: an ordinary user may not set them, and a server may have neither.
const BINARY_LOG: &str = "log_bin";
const BINARY_LOG_FORMAT: &str = "binlog_format";

const READS: &str = "a write takes effect upon the newest row, and batches take no gap locks";
const WRITES: &str = "a transaction may write";
const TEXTS: &str = "texts go both ways unchanged";
const ANSWERS: &str = "an answer is complete";
const CONSTRAINTS: &str = "the tables' constraints hold";
const STOPPED: &str = "a process that stops in a transaction does not keep its locks";
const REFUSALS: &str = "a record that the server refuses is told from a server that fails";

/// Brings the session into its state, and makes sure that the server has it.
///
/// # Errors
/// [`Error::BadSetting`] that names the variable, what was wanted and what was found.
/// [`Error::Unavailable`] when the connection is lost.
pub(super) async fn begin(connection: &mut AsyncMysqlConnection) -> Result<()> {
    let lost = |error| Error::unavailable(Part::Database, error);
    let set = connection.batch_execute(&set()).await;
    // IMPORTANT: after a failure too: a server that answers this has refused the other.
    let shown = show().load::<Shown>(connection).await;
    match (set, shown) {
        (Ok(()), shown) => verify(shown.map_err(lost)?),
        (Err(error), Ok(_)) => Err(refused(format!(
            "the server does not take the settings of a session: {error}"
        ))),
        (Err(error), Err(_)) => Err(lost(error)),
    }
}

fn refused(reason: String) -> Error {
    Error::BadSetting {
        key: "DATABASE_URL",
        reason: reason.into(),
    }
}

/// The statements that set all of it.
fn set() -> String {
    // `init_connect` may have begun a transaction, which `autocommit` would not end; and
    // `completion_type` may not be set yet.
    let mut text = "ROLLBACK AND NO CHAIN NO RELEASE; SET ".to_owned();
    let mut separator = "";
    for Variable {
        name, on, wanted, ..
    } in VARIABLES
    {
        let Is(value) = wanted else { continue };
        let quote = if value.parse::<f64>().is_ok() {
            ""
        } else {
            "'"
        };
        // MariaDB reads what is in the first kind of comment, MySQL in the second.
        let (open, close) = match on {
            Both => ("", ""),
            MariaDb => ("/*M!100300 ", " */"),
            MySql => ("/*!80000 ", " */"),
        };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{open}{separator}SESSION {name} = {quote}{value}{quote}{close}"
        );
        separator = ", ";
    }
    text
}

/// What the server shows of a variable.
#[derive(Debug, QueryableByName)]
struct Shown {
    #[diesel(sql_type = Text, column_name = "Variable_name")]
    name: String,
    #[diesel(sql_type = Text, column_name = "Value")]
    value: String,
}

fn show() -> diesel::query_builder::SqlQuery {
    let names = VARIABLES.iter().map(|variable| variable.name);
    let names = names.chain([BINARY_LOG, BINARY_LOG_FORMAT]);
    let names = names.map(|name| format!("'{name}'"));
    let names = names.collect::<Vec<_>>().join(", ");
    diesel::sql_query(format!(
        "SHOW SESSION VARIABLES WHERE Variable_name IN ({names})"
    ))
}

/// Every write fails on InnoDB at READ COMMITTED where the binary log has statements (error 1665).
fn takes_writes(shown: &HashMap<String, String>) -> Result<()> {
    let is = |name: &str, value: &str| {
        let found = shown.get(name);
        found.is_some_and(|found| found.eq_ignore_ascii_case(value))
    };
    match is(BINARY_LOG, "ON") && is(BINARY_LOG_FORMAT, "STATEMENT") {
        false => Ok(()),
        true => Err(refused(
            "the server has binlog_format=STATEMENT, with which it refuses every write of a transaction at \
             READ COMMITTED: set it to ROW or MIXED"
                .to_owned(),
        )),
    }
}

/// Every variable has the value that was wanted. One that only the other server has may be
/// missing.
fn verify(shown: Vec<Shown>) -> Result<()> {
    let shown = shown.into_iter();
    let shown: HashMap<String, String> = shown.map(|one| (one.name, one.value)).collect();
    let is_mariadb = shown.contains_key("tx_isolation");
    takes_writes(&shown)?;
    for Variable {
        name,
        on,
        wanted,
        why,
    } in VARIABLES
    {
        let found = match (shown.get(*name), on) {
            (Some(found), _) => found,
            (None, MariaDb) if !is_mariadb => continue,
            (None, MySql) if is_mariadb => continue,
            (None, _) => "nothing",
        };
        let (holds, wanted) = match wanted {
            Is(wanted) => (found == *wanted, (*wanted).to_owned()),
            AtLeast(least) => (
                found.parse().is_ok_and(|found: u64| found >= *least),
                format!("at least {least}"),
            ),
        };
        if !holds {
            return Err(refused(format!(
                "in a session of the server {name} is {found} and has to be {wanted}, so that {why}"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_as_wanted(on: Servers) -> Vec<Shown> {
        let variables = VARIABLES.iter();
        let variables = variables.filter(|variable| variable.on == Both || variable.on == on);
        let shown = variables.map(|variable| Shown {
            name: variable.name.to_owned(),
            value: match variable.wanted {
                Is(value) => value.to_owned(),
                AtLeast(least) => least.to_string(),
            },
        });
        shown.collect()
    }

    #[test]
    fn a_session_as_wanted_is_taken_on_both_servers() {
        for on in [MariaDb, MySql] {
            verify(all_as_wanted(on)).unwrap();
        }
    }

    #[test]
    fn a_binary_log_of_statements_is_refused_with_the_fix() {
        for (log, format, is_refused) in [
            ("ON", "STATEMENT", true),
            ("ON", "ROW", false),
            ("ON", "MIXED", false),
            ("OFF", "STATEMENT", false),
        ] {
            let mut shown = all_as_wanted(MariaDb);
            let logs = [(BINARY_LOG, log), (BINARY_LOG_FORMAT, format)];
            shown.extend(logs.map(|(name, value)| Shown {
                name: name.to_owned(),
                value: value.to_owned(),
            }));
            let said = verify(shown).map_err(|error| error.to_string());
            let names_the_fix = |said: &String| said.contains("ROW or MIXED");
            assert_eq!(said.is_err_and(|said| names_the_fix(&said)), is_refused);
        }
    }

    #[test]
    fn each_variable_that_differs_or_is_missing_is_named() {
        for on in [MariaDb, MySql] {
            for place in 0..all_as_wanted(on).len() {
                let mut differs = all_as_wanted(on);
                differs[place].value = "31".to_owned();
                let name = differs[place].name.clone();
                let said = verify(differs).unwrap_err().to_string();
                assert!(said.contains(&format!("{name} is 31")), "{said}");
                let mut missing = all_as_wanted(on);
                missing.remove(place);
                assert!(verify(missing).is_err(), "{name}");
            }
        }
        assert!(verify(Vec::new()).is_err());
    }
}
