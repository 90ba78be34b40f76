//! Which tables are classic.

use super::classic::{Classic, is_ours};
use super::expected::{MYSQL, SQLITE};
use super::shape::{Column, Key, Table};

fn column(name: &str, kind: &str) -> Column {
    Column {
        name: name.to_owned(),
        declared: kind.to_owned(),
        kind: kind.to_owned(),
        auto_increment: name == "id",
        ..Column::default()
    }
}

fn key(name: &str, unique: bool, columns: &[&str]) -> Key {
    Key {
        name: name.to_owned(),
        primary: name == "PRIMARY",
        unique,
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        sql: None,
    }
}

fn classic() -> Table {
    Table {
        name: "users".to_owned(),
        columns: vec![
            column("id", "int"),
            column("name", "varchar(255)"),
            column("age", "int"),
            column("occupation", "varchar(255)"),
        ],
        keys: vec![key("PRIMARY", true, &["id"])],
        ..Table::default()
    }
}

#[track_caller]
fn expect_different(change: impl Fn(&mut Table), part: &str) {
    let mut table = classic();
    change(&mut table);
    let differences = Classic::of(&table, &MYSQL).unwrap_err().join("; ");
    assert!(differences.contains(part), "{differences}");
}

#[test]
fn a_classic_table_has_only_what_can_stay() {
    assert!(Classic::of(&classic(), &MYSQL).is_ok());
    let tolerated: [fn(&mut Table); 4] = [
        |table| table.columns[0].kind = "int unsigned".to_owned(),
        |table| table.keys.push(key("n", true, &["name"])),
        |table| table.keys.push(key("a", false, &["age", "name"])),
        |table| {
            let nullable = Column {
                nullable: true,
                ..column("email", "text")
            };
            table.columns.push(nullable);
        },
    ];
    for change in tolerated {
        let mut table = classic();
        change(&mut table);
        assert!(Classic::of(&table, &MYSQL).is_ok(), "{table:?}");
    }
}

#[test]
fn each_difference_from_a_classic_table_is_said() {
    expect_different(|table| table.oddity = Some("a view".to_owned()), "a view");
    expect_different(
        |table| drop(table.columns.remove(3)),
        "no column occupation",
    );
    expect_different(
        |table| table.columns[1].kind = "text".to_owned(),
        "name is text",
    );
    expect_different(|table| table.columns[2].nullable = true, "age may be NULL");
    expect_different(|table| table.columns[2].generated = true, "age is computed");
    expect_different(
        |table| table.columns[0].auto_increment = false,
        "AUTO_INCREMENT",
    );
    expect_different(
        |table| table.columns.push(column("x", "int")),
        "column x more",
    );
    expect_different(
        |table| table.columns.push(column("version", "int")),
        "version",
    );
    expect_different(|table| table.keys.clear(), "primary key");
    expect_different(
        |table| table.keys.push(key("o", true, &["occupation"])),
        "occupation",
    );
    expect_different(
        |table| table.keys.push(key("n", true, &["name(9)"])),
        "name(9)",
    );
    expect_different(|table| table.checks.push("c".to_owned()), "CHECK");
    expect_different(
        |table| table.foreign_keys.push("f".to_owned()),
        "foreign key",
    );
}

#[test]
fn a_column_that_an_older_release_added_is_known_on_mysql() {
    let mut table = classic();
    let judged = Column {
        default: Some("0".to_owned()),
        ..column("judged", "tinyint")
    };
    table.columns.push(judged);
    assert!(Classic::of(&table, &MYSQL).is_ok());
    assert!(Classic::of(&table, &SQLITE).is_err());
    assert!(!is_ours(&table));
    table.columns.push(column("version", "bigint"));
    table.columns.push(column("deleted_at", "datetime(6)"));
    assert!(is_ours(&table));
}

#[test]
fn keys_that_would_be_in_the_way_are_replaced() {
    let mut table = classic();
    table.keys.push(key("n", true, &["name"]));
    table.keys.push(key("USERS_version", false, &["age"]));
    table.keys.push(key("a", false, &["age"]));
    let classic = Classic::of(&table, &MYSQL).unwrap();
    let replaced: Vec<&str> = classic
        .keys_to_replace()
        .map(|key| key.name.as_str())
        .collect();
    assert_eq!(replaced, ["n", "USERS_version"]);
    let changes = classic.changes(&MYSQL);
    for part in [
        "id was int NOT NULL and is bigint unsigned NOT NULL",
        "version is new",
        "key n",
    ] {
        assert!(changes.contains(part), "{changes}");
    }
}
