//! Reading tables from SQLite's schema.

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{OptionalExtension as _, QueryResult, QueryableByName};
use diesel_async::RunQueryDsl;

use super::super::Connection;
use crate::store::schema::{Column, Key, Table, USERS, plain_type};

#[derive(Debug, QueryableByName)]
struct TableRow {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    sql: String,
}

#[derive(Debug, QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    declared: String,
    #[diesel(sql_type = BigInt)]
    not_null: i64,
    #[diesel(sql_type = Nullable<Text>)]
    by_default: Option<String>,
    #[diesel(sql_type = BigInt)]
    in_key: i64,
    #[diesel(sql_type = BigInt)]
    hidden: i64,
}

#[derive(Debug, QueryableByName)]
struct KeyRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    is_unique: i64,
    #[diesel(sql_type = Text)]
    origin: String,
    #[diesel(sql_type = BigInt)]
    partial: i64,
    #[diesel(sql_type = Nullable<Text>)]
    of_column: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    collate_by: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    sql: Option<String>,
}

#[derive(Debug, QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

/// The table of that name, if there is one.
pub(super) async fn found(connection: &mut Connection, name: &str) -> QueryResult<Option<Table>> {
    let table: Option<TableRow> = diesel::sql_query(
        "SELECT type AS kind, coalesce(sql, '') AS sql FROM sqlite_master \
         WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE",
    )
    .bind::<Text, _>(name)
    .get_result(connection)
    .await
    .optional()?;
    let Some(table) = table else {
        return Ok(None);
    };
    let columns: Vec<ColumnRow> = diesel::sql_query(
        "SELECT name, type AS declared, \"notnull\" AS not_null, dflt_value AS by_default, \
         pk AS in_key, hidden FROM pragma_table_xinfo(?) ORDER BY cid",
    )
    .bind::<Text, _>(name)
    .load(connection)
    .await?;
    let keys: Vec<KeyRow> = diesel::sql_query(
        "SELECT list.name AS name, list.\"unique\" AS is_unique, list.origin AS origin, \
         list.partial AS partial, info.name AS of_column, info.coll AS collate_by, master.sql AS sql \
         FROM pragma_index_list(?) AS list JOIN pragma_index_xinfo(list.name) AS info \
         LEFT JOIN sqlite_master AS master ON master.type = 'index' AND master.name = list.name \
         WHERE info.key = 1 ORDER BY list.name, info.seqno",
    )
    .bind::<Text, _>(name)
    .load(connection)
    .await?;
    let foreign_keys: Vec<Name> =
        diesel::sql_query("SELECT DISTINCT \"table\" AS name FROM pragma_foreign_key_list(?)")
            .bind::<Text, _>(name)
            .load(connection)
            .await?;
    let text = table.sql.to_ascii_uppercase();
    Ok(Some(Table {
        name: name.to_owned(),
        oddity: oddity(&table.kind, &text),
        columns: columns.iter().map(|row| column(row, &text)).collect(),
        keys: all_keys(&columns, &keys),
        checks: (1..=checks_in(&text))
            .map(|number| format!("check {number}"))
            .collect(),
        foreign_keys: foreign_keys.into_iter().map(|row| row.name).collect(),
    }))
}

fn oddity(kind: &str, text: &str) -> Option<String> {
    if kind != "table" {
        return Some(format!("a {kind}"));
    }
    (text.starts_with("CREATE VIRTUAL")).then(|| "a virtual table".to_owned())
}

/// SQLite lists CHECKs only in the text of the table.
fn checks_in(text: &str) -> usize {
    let after_word = text.split("CHECK").skip(1);
    after_word
        .filter(|rest| rest.trim_start().starts_with('('))
        .count()
}

fn column(row: &ColumnRow, table_text: &str) -> Column {
    let declared = row.declared.to_ascii_lowercase();
    // Only this is another name of the row's own number, which SQLite gives out.
    let is_row_id =
        row.in_key == 1 && declared == "integer" && !table_text.contains("WITHOUT ROWID");
    let numbered = is_row_id && table_text.contains("AUTOINCREMENT");
    Column {
        name: row.name.clone(),
        kind: plain_type(&declared),
        declared,
        charset: None,
        collation: None,
        nullable: row.not_null == 0 && row.in_key == 0,
        default: match is_row_id {
            true => Some("the next number".to_owned()),
            false => row.by_default.clone(),
        },
        auto_increment: numbered,
        generated: row.hidden != 0,
    }
}

fn all_keys(columns: &[ColumnRow], rows: &[KeyRow]) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for row in rows {
        let column = row.of_column.as_deref().unwrap_or("an expression");
        let column = match row.collate_by.as_deref() {
            None | Some("BINARY") => column.to_owned(),
            Some(collation) => format!("{column} COLLATE {collation}"),
        };
        match keys.last_mut() {
            Some(key) if key.name == row.name => key.columns.push(column),
            _ => keys.push(Key {
                name: row.name.clone(),
                primary: row.origin == "pk",
                unique: row.is_unique == 1,
                columns: vec![column],
                sql: row.sql.clone(),
            }),
        }
        // It is no key of the whole table.
        if row.partial == 1
            && let Some(column) = keys.last_mut().and_then(|key| key.columns.last_mut())
        {
            column.push_str(" of some rows");
        }
    }
    // The row's own number has no index.
    if !keys.iter().any(|key| key.primary) {
        let primary = columns.iter().filter(|row| row.in_key > 0);
        let primary: Vec<String> = primary.map(|row| row.name.clone()).collect();
        if !primary.is_empty() {
            keys.push(Key {
                name: "the primary key".to_owned(),
                primary: true,
                unique: true,
                columns: primary,
                sql: None,
            });
        }
    }
    keys
}

/// Triggers on `users`.
pub(super) async fn dependents(connection: &mut Connection) -> QueryResult<Vec<String>> {
    let triggers: Vec<Name> = diesel::sql_query(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE",
    )
    .bind::<Text, _>(USERS)
    .load(connection)
    .await?;
    Ok(triggers
        .into_iter()
        .map(|row| format!("it has the trigger {}", row.name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_counted_in_the_text() {
        for (text, count) in [
            (
                "CREATE TABLE USERS (A INTEGER, CHECK (A > 0), B CHECK(B))",
                2,
            ),
            ("CREATE TABLE USERS (CHECKED INTEGER)", 0),
            ("", 0),
        ] {
            assert_eq!(checks_in(text), count);
        }
    }
}
