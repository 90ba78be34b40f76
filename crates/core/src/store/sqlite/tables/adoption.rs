//! The statements that adopt a classic table. SQLite cannot change a column, so a new
//! table takes the place of the old one, in one transaction.

use crate::store::schema::{Classic, Column, SET_ASIDE, Table, USERS};

const NEW: &str = "users_being_adopted";

/// What makes the table what the first migration makes; to be done in one transaction.
pub(super) fn adopt(users: &Classic, has_set_aside: bool) -> String {
    let more: Vec<&Column> = users.more_columns().collect();
    let definitions: String = more.iter().map(|column| definition(column)).collect();
    let names: String = more
        .iter()
        .map(|column| format!(", {}", quoted(&column.name)))
        .collect();
    // No id may be given out again: not one that was set aside, nor one that is deleted.
    let set_aside = match has_set_aside {
        true => format!("UNION ALL SELECT MAX(id) FROM {SET_ASIDE} "),
        false => String::new(),
    };
    let replaced: Vec<&str> = users
        .keys_to_replace()
        .map(|key| key.name.as_str())
        .collect();
    let kept = users.table.keys.iter();
    let kept = kept.filter(|key| !replaced.contains(&key.name.as_str()));
    let kept: String = kept
        .filter_map(|key| key.sql.as_deref())
        .map(|sql| format!("; {sql}"))
        .collect();
    format!(
        "CREATE TABLE {NEW} ( \
           id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, \
           name TEXT NOT NULL UNIQUE, \
           age INTEGER NULL, \
           occupation TEXT NULL, \
           version INTEGER NOT NULL DEFAULT 0, \
           deleted_at TIMESTAMP NULL{definitions}, \
           CHECK (deleted_at IS NOT NULL OR (age IS NOT NULL AND occupation IS NOT NULL)) \
         ); \
         INSERT INTO {NEW} (id, name, age, occupation{names}) \
         SELECT id, name, age, occupation{names} FROM {USERS} ORDER BY id; \
         INSERT INTO sqlite_sequence (name, seq) SELECT '{NEW}', 0 \
         WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = '{NEW}'); \
         UPDATE sqlite_sequence SET seq = (SELECT MAX(last) FROM ( \
           SELECT MAX(seq) AS last FROM sqlite_sequence \
           WHERE name = '{NEW}' OR name = '{USERS}' COLLATE NOCASE \
           {set_aside})) WHERE name = '{NEW}'; \
         DROP TABLE {USERS}; \
         ALTER TABLE {NEW} RENAME TO {USERS}{kept}"
    )
}

/// The columns of `users` as they are, and `reason`.
pub(super) fn create_set_aside(users: &Table) -> String {
    let columns = users.columns.iter().map(|column| {
        let (name, declared) = (quoted(&column.name), &column.declared);
        match column.name.eq_ignore_ascii_case("id") {
            true => format!("{name} INTEGER NOT NULL PRIMARY KEY"),
            false if column.nullable => format!("{name} {declared}"),
            false => format!("{name} {declared} NOT NULL"),
        }
    });
    let columns: Vec<String> = columns.collect();
    format!(
        "CREATE TABLE IF NOT EXISTS {SET_ASIDE} ({}, reason TEXT NOT NULL)",
        columns.join(", ")
    )
}

/// Moves rows; to be done in one transaction.
pub(super) fn set_aside(users: &Table, ids: &[i64], reason: &str) -> String {
    let columns: Vec<String> = users
        .columns
        .iter()
        .map(|column| quoted(&column.name))
        .collect();
    let columns = columns.join(", ");
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    let ids = ids.join(", ");
    let reason = reason.replace('\'', "''");
    format!(
        "INSERT INTO {SET_ASIDE} ({columns}, reason) SELECT {columns}, '{reason}' FROM {USERS} \
         WHERE id IN ({ids}); DELETE FROM {USERS} WHERE id IN ({ids})"
    )
}

fn definition(column: &Column) -> String {
    let not_null = if column.nullable { "" } else { " NOT NULL" };
    let default = column.default.as_deref();
    let default = default.map(|default| format!(" DEFAULT ({default})"));
    format!(
        ", {} {}{not_null}{}",
        quoted(&column.name),
        column.declared,
        default.unwrap_or_default()
    )
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
