//! Tables against what the migrations make.

use super::compare::{Scope, differences, exact_differences};
use super::expected::{Expected, ExpectedTable, KeyKind, MYSQL, SQLITE};
use super::shape::{Column, Key, Table};

/// The table as it should be.
fn made(expected: &ExpectedTable) -> Table {
    let columns = expected.columns.iter().map(|column| Column {
        name: column.name.to_owned(),
        declared: column.kind.to_owned(),
        kind: column.kind.to_owned(),
        collation: column.collation.map(str::to_owned),
        nullable: column.nullable,
        default: column.may_be_left_out.then(|| "0".to_owned()),
        auto_increment: column.auto_increment,
        ..Column::default()
    });
    let keys = expected.keys.iter().map(|key| Key {
        name: key.columns.join("_"),
        primary: key.kind == KeyKind::Primary,
        unique: key.kind != KeyKind::Plain,
        columns: key
            .columns
            .iter()
            .map(|&column| column.to_owned())
            .collect(),
        sql: None,
    });
    Table {
        name: expected.name.to_owned(),
        columns: columns.collect(),
        keys: keys.collect(),
        checks: expected
            .checks
            .iter()
            .map(|&check| check.to_owned())
            .collect(),
        ..Table::default()
    }
}

fn users(expected: &'static Expected) -> &'static ExpectedTable {
    &expected.tables[0]
}

#[test]
fn what_the_migrations_make_does_not_differ() {
    for expected in [&MYSQL, &SQLITE] {
        for table in expected.tables {
            for scope in [Scope::First, Scope::All] {
                assert_eq!(differences(&made(table), table, scope), [""; 0]);
            }
        }
    }
}

#[test]
fn later_columns_and_keys_count_when_all_migrations_have_run() {
    for expected in [&MYSQL, &SQLITE] {
        let mut table = made(users(expected));
        table.columns.retain(|column| column.name != "judged");
        assert_eq!(differences(&table, users(expected), Scope::First), [""; 0]);
        let said = differences(&table, users(expected), Scope::All);
        assert_eq!(said, ["users has no column judged"]);
    }
}

#[test]
fn an_earlier_table_has_the_keys_of_its_migration() {
    let mut table = made(users(&MYSQL));
    table.keys.retain(|key| !key.is_over(&["deleted_at"]));
    table.keys[0].primary = false;
    table.keys[1].primary = true;
    assert_eq!(differences(&table, users(&MYSQL), Scope::First), [""; 0]);
    let said = differences(&table, users(&MYSQL), Scope::All);
    let expected = [
        "users has no primary key on name",
        "users has no key on deleted_at",
    ];
    assert_eq!(said, expected);
    table.keys[0].unique = false;
    let said = differences(&table, users(&MYSQL), Scope::First);
    assert_eq!(said, ["users has no unique key on name"]);
}

#[test]
fn each_difference_is_said() {
    type Change = (fn(&mut Table), &'static str);
    let changes: [Change; 9] = [
        (
            |table| table.oddity = Some("a view".to_owned()),
            "users is a view",
        ),
        (
            |table| drop(table.columns.remove(4)),
            "users has no column version",
        ),
        (
            |table| table.columns[0].kind = "int".to_owned(),
            "users.id is int, not bigint unsigned",
        ),
        (
            |table| table.columns[1].collation = None,
            "users.name has the collation none, not utf8mb4_bin",
        ),
        (
            |table| table.columns[1].nullable = true,
            "users.name may be NULL",
        ),
        (
            |table| table.columns[3].nullable = false,
            "users.occupation may not be NULL",
        ),
        (
            |table| table.columns[4].default = None,
            "users.version has no default",
        ),
        (
            |table| table.keys[0].primary = false,
            "users has no primary key on name",
        ),
        (
            |table| table.checks.clear(),
            "users has no CHECK constraint users_live_is_whole",
        ),
    ];
    for (change, said) in changes {
        let mut table = made(users(&MYSQL));
        change(&mut table);
        assert_eq!(differences(&table, users(&MYSQL), Scope::All), [said]);
    }
}

#[test]
fn additions_that_an_insert_may_leave_out_are_tolerated() {
    let mut table = made(users(&MYSQL));
    let more = |nullable| Column {
        name: "email".to_owned(),
        kind: "text".to_owned(),
        nullable,
        ..Column::default()
    };
    table.columns.push(more(true));
    assert_eq!(differences(&table, users(&MYSQL), Scope::All), [""; 0]);
    table.columns.push(more(false));
    assert_eq!(differences(&table, users(&MYSQL), Scope::All).len(), 1);
}

#[test]
fn another_length_of_a_users_texts_is_tolerated() {
    let mut table = made(users(&MYSQL));
    table.columns[3].kind = "varchar(10)".to_owned();
    assert_eq!(differences(&table, users(&MYSQL), Scope::All), [""; 0]);
    assert_eq!(exact_differences(&table, &MYSQL).len(), 1);
    table.columns[3].kind = "char(10)".to_owned();
    assert_eq!(differences(&table, users(&MYSQL), Scope::All).len(), 1);
}

#[test]
fn another_name_of_a_check_is_tolerated() {
    let mut table = made(users(&MYSQL));
    table.checks = vec!["users_chk_1".to_owned()];
    assert_eq!(differences(&table, users(&MYSQL), Scope::All), [""; 0]);
}
