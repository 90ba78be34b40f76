//! What the server does not let the user of `DATABASE_URL` do, and what an operator does about that.
//! Waiting does not mend it, so it ends a start at once.

use crate::error::{Error, Part};

/// The account: wrong credentials, no password where one is needed, not from this host, an
/// authentication that the driver does not know, and an account that is locked or whose password has
/// expired.
const ACCOUNT: [u16; 9] = [1045, 1698, 1130, 1251, 1524, 1820, 1862, 3118, 4151];
/// The whole database is denied; so it is where it is missing and the user may not know that.
pub(super) const DATABASE: u16 = 1044;
/// What the server says of a denied statement, a table, a column or a privilege. The driver passes on
/// no number of these.
const STATEMENT: [&str; 3] = ["command denied to user", "Access denied", "access denied"];

/// Why the user gets no connection, if the error with this number is about its rights.
pub(super) fn account(error: (u16, &str), server: &str, database: &str) -> Option<String> {
    let (number, text) = error;
    if number == DATABASE {
        return Some(format!(
            "{server} does not let the user of DATABASE_URL use the database {database} ({text}): create it if it is \
             missing, and GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.* to the user, or more for a \
             user that creates the tables (docs/permissions.md)"
        ));
    }
    ACCOUNT.contains(&number).then(|| {
        format!(
            "{server} refuses the user of DATABASE_URL (error {number}, {text}): correct the name and the password \
             there, or let the user connect from this host (docs/permissions.md)"
        )
    })
}

/// The error of a statement that failed with this text.
pub(super) fn failed(text: impl std::fmt::Display) -> Error {
    let text = text.to_string();
    match STATEMENT.iter().any(|denied| text.contains(denied)) {
        true => Error::distrusted(
            Part::Database,
            format!(
                "the database denies a statement to the user of DATABASE_URL: {text}; run `migrate` as a user \
                 that may change tables, or grant what is missing (docs/permissions.md)"
            ),
        ),
        false => Error::unavailable(Part::Database, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_statement_is_lasting_and_an_outage_is_not() {
        for (text, is_lasting) in [
            (
                "CREATE command denied to user 'svc'@'localhost' for table `u`.`users`",
                true,
            ),
            (
                "Access denied; you need (at least one of) the SUPER privilege(s)",
                true,
            ),
            ("Access denied for user 'svc'@'%' to database 'users'", true),
            (
                "The MariaDB server is running with the --read-only option",
                false,
            ),
            ("Server shutdown in progress", false),
        ] {
            match failed(text) {
                Error::Unavailable {
                    reason, lasting, ..
                } => {
                    assert_eq!(lasting, is_lasting, "{reason}");
                    assert!(reason.contains(text), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn an_account_that_is_refused_is_told_from_a_server_without_room() {
        for number in ACCOUNT.iter().chain([&DATABASE]) {
            let sentence = account((*number, "no"), "the database at h:1", "users").unwrap();
            assert!(
                sentence.contains("DATABASE_URL") && sentence.contains("no"),
                "{sentence}"
            );
        }
        for may_pass in [1040, 1053, 1203, 1290, 1836, 1049] {
            assert_eq!(account((may_pass, ""), "", ""), None);
        }
    }
}
