//! Telling a refused record from a file that cannot be written now, by the number of the error.
//!
//! diesel reports which constraint was violated, but does not recognise a trigger's RAISE: that has a
//! text of its own and the number 1811, which diesel does not pass on. So the statement is repeated
//! through another driver, which has the number, in a transaction that is rolled back.

use std::path::Path;
use std::time::Duration;

use diesel::query_builder::{QueryBuilder as _, QueryFragment as _};
use diesel::sqlite::{Sqlite, SqliteQueryBuilder};
use rusqlite::types::Value;
use rusqlite::{Connection, Error, OpenFlags, TransactionBehavior, params_from_iter};

use crate::model::version::Version;
use crate::store::row::Row;
use crate::store::upsert::{Dialect, Order, ROWS_MAX, Upsert};

/// Errors that lie in the record: too long, a violated constraint of any kind, a value of
/// another type. Only the number's lowest byte counts; the others give details.
const REFUSALS: [i32; 3] = [
    rusqlite::ffi::SQLITE_TOOBIG,
    rusqlite::ffi::SQLITE_CONSTRAINT,
    rusqlite::ffi::SQLITE_MISMATCH,
];

/// The reason why the database in `path` refuses `rows`. `None` if it does not, or if it cannot be
/// tried. Blocks the thread, but waits for no lock.
pub(super) fn of(path: &Path, rows: &[Row]) -> Option<String> {
    match repeat(path, rows).err()? {
        Error::SqliteFailure(failure, message) => {
            let number = failure.extended_code;
            let message = message.unwrap_or_default();
            REFUSALS
                .contains(&(number & 0xff))
                .then(|| format!("error {number}: {message}"))
        }
        _ => None,
    }
}

fn repeat(path: &Path, rows: &[Row]) -> rusqlite::Result<()> {
    let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // It is 5 s otherwise.
    connection.busy_timeout(Duration::ZERO)?;
    // Rolled back when it is dropped.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for rows in rows.chunks(ROWS_MAX) {
        // Which version is the newer one does not matter here.
        let ceiling = Version::MAX.to_i64();
        let upsert = Upsert::held(rows, Order::Any, ceiling);
        let mut text = SqliteQueryBuilder::new();
        if upsert.to_sql(&mut text, &Sqlite).is_err() {
            continue;
        }
        let ceilings = Sqlite::ON_CONFLICT.matches('?').map(|_| ceiling.into());
        let values = upsert.rows().flat_map(values).chain(ceilings);
        transaction.execute(&text.finish(), params_from_iter(values))?;
    }
    Ok(())
}

/// The values of a row, as diesel binds them.
fn values(row: &Row) -> [Value; 5] {
    let deleted_at = row
        .deleted_at
        .map(|time| time.format("%F %T%.f").to_string());
    [
        row.name.as_str().to_owned().into(),
        row.age.into(),
        row.occupation.clone().into(),
        row.version.into(),
        deleted_at.into(),
    ]
}
