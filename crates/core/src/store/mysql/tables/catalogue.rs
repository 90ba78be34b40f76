//! Reading tables from `information_schema`. It shows a user only what the user has a
//! right to; the rights to read and to write a table are enough for what is read at
//! every start.

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncMysqlConnection, RunQueryDsl};

use crate::store::schema::{Column, Key, Table, USERS, plain_type};

#[derive(Debug, QueryableByName)]
struct TableRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    engine: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    options: Option<String>,
}

#[derive(Debug, QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    in_table: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    declared: String,
    #[diesel(sql_type = Nullable<Text>)]
    charset: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    collate_by: Option<String>,
    #[diesel(sql_type = Text)]
    nullable: String,
    #[diesel(sql_type = Nullable<Text>)]
    by_default: Option<String>,
    #[diesel(sql_type = Text)]
    extra: String,
}

#[derive(Debug, QueryableByName)]
struct KeyRow {
    #[diesel(sql_type = Text)]
    in_table: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    repeats: i64,
    #[diesel(sql_type = Nullable<Text>)]
    of_column: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    prefix: Option<i64>,
}

#[derive(Debug, QueryableByName)]
struct ConstraintRow {
    #[diesel(sql_type = Text)]
    in_table: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
}

#[derive(Debug, QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

/// The tables of these names.
pub(super) async fn found(
    connection: &mut AsyncMysqlConnection,
    names: &[&str],
) -> QueryResult<Vec<Table>> {
    let list: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let these = format!(
        "WHERE table_schema = DATABASE() AND table_name IN ({})",
        list.join(", ")
    );
    let tables: Vec<TableRow> = diesel::sql_query(format!(
        "SELECT table_name AS name, table_type AS kind, engine AS engine, \
         create_options AS options FROM information_schema.tables {these}"
    ))
    .load(connection)
    .await?;
    let columns: Vec<ColumnRow> = diesel::sql_query(format!(
        "SELECT table_name AS in_table, column_name AS name, column_type AS declared, \
         character_set_name AS charset, collation_name AS collate_by, is_nullable AS nullable, \
         column_default AS by_default, extra AS extra \
         FROM information_schema.columns {these} ORDER BY ordinal_position"
    ))
    .load(connection)
    .await?;
    let keys: Vec<KeyRow> = diesel::sql_query(format!(
        "SELECT table_name AS in_table, index_name AS name, CAST(non_unique AS SIGNED) AS repeats, \
         column_name AS of_column, CAST(sub_part AS SIGNED) AS prefix \
         FROM information_schema.statistics {these} ORDER BY index_name, seq_in_index"
    ))
    .load(connection)
    .await?;
    let constraints: Vec<ConstraintRow> = diesel::sql_query(format!(
        "SELECT table_name AS in_table, constraint_name AS name, constraint_type AS kind \
         FROM information_schema.table_constraints {these}"
    ))
    .load(connection)
    .await?;
    // The catalogue may compare names without regard to case.
    let wanted = |table: &TableRow| names.contains(&table.name.as_str());
    let tables = tables.into_iter().filter(wanted).map(|table| {
        let name = table.name.as_str();
        let of = |kind: &str| {
            let own = constraints.iter().filter(|row| row.in_table == name);
            let own = own.filter(|row| row.kind == kind);
            own.map(|row| row.name.clone()).collect()
        };
        Table {
            name: name.to_owned(),
            oddity: oddity(&table),
            columns: columns
                .iter()
                .filter(|row| row.in_table == name)
                .map(column)
                .collect(),
            keys: keys_of(name, &keys),
            checks: of("CHECK"),
            foreign_keys: of("FOREIGN KEY"),
        }
    });
    Ok(tables.collect())
}

fn oddity(table: &TableRow) -> Option<String> {
    if table.kind != "BASE TABLE" {
        return Some(format!("a {}", table.kind.to_lowercase()));
    }
    let engine = table.engine.as_deref().unwrap_or("no engine");
    if !engine.eq_ignore_ascii_case("innodb") {
        return Some(format!("a table of {engine}, not InnoDB"));
    }
    let options = table.options.as_deref().unwrap_or_default();
    (options.contains("partitioned")).then(|| "a partitioned table".to_owned())
}

fn column(row: &ColumnRow) -> Column {
    let extra = row.extra.to_ascii_lowercase();
    let has_default = row.by_default.as_deref().is_some_and(|text| text != "NULL");
    Column {
        name: row.name.clone(),
        declared: row.declared.to_ascii_lowercase(),
        kind: plain_type(&row.declared),
        charset: row.charset.clone(),
        collation: row.collate_by.clone(),
        nullable: row.nullable == "YES",
        default: row.by_default.clone().filter(|_| has_default),
        auto_increment: extra.contains("auto_increment"),
        // `VIRTUAL GENERATED` and such, but not MySQL's `DEFAULT_GENERATED`.
        generated: ["virtual", "stored generated", "persistent"]
            .iter()
            .any(|kind| extra.contains(kind)),
    }
}

fn keys_of(table: &str, rows: &[KeyRow]) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for row in rows.iter().filter(|row| row.in_table == table) {
        let column = row.of_column.as_deref().unwrap_or("an expression");
        let column = match row.prefix {
            Some(length) => format!("{column}({length})"),
            None => column.to_owned(),
        };
        match keys.last_mut() {
            Some(key) if key.name == row.name => key.columns.push(column),
            _ => keys.push(Key {
                name: row.name.clone(),
                primary: row.name == "PRIMARY",
                unique: row.repeats == 0,
                columns: vec![column],
                sql: None,
            }),
        }
    }
    keys
}

/// Triggers on `users`, and foreign keys of other tables to it.
pub(super) async fn dependents(connection: &mut AsyncMysqlConnection) -> QueryResult<Vec<String>> {
    let triggers: Vec<Name> = diesel::sql_query(format!(
        "SELECT trigger_name AS name FROM information_schema.triggers \
         WHERE event_object_schema = DATABASE() AND event_object_table = '{USERS}'"
    ))
    .load(connection)
    .await?;
    let foreign_keys: Vec<Name> = diesel::sql_query(format!(
        "SELECT DISTINCT table_name AS name FROM information_schema.key_column_usage \
         WHERE referenced_table_schema = DATABASE() AND referenced_table_name = '{USERS}'"
    ))
    .load(connection)
    .await?;
    let triggers = triggers
        .into_iter()
        .map(|row| format!("it has the trigger {}", row.name));
    let foreign_keys = foreign_keys
        .into_iter()
        .map(|row| format!("the table {} refers to it by a foreign key", row.name));
    Ok(triggers.chain(foreign_keys).collect())
}
