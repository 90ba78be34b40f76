//! `migrate`: brings the database up to date and ends.

use std::process::Command;

use testkit::parts::Installation;
use testkit::service::run_to_end;

use crate::api::{Api, record};
use crate::combination::Turn;

checks!(migrations: a_migration_can_be_repeated_and_keeps_what_is_there);

#[track_caller]
fn expect_success(mut command: Command) {
    let output = run_to_end(command.arg("migrate"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(!stderr.contains("root"), "{stderr}");
}

fn on(installation: &Installation, turn: &Turn, check: impl FnOnce(&Api)) {
    let mut process = installation.start(turn.service());
    check(&Api::at(turn.service(), process.base_url()));
    assert!(process.terminate().success());
}

pub(crate) fn a_migration_can_be_repeated_and_keeps_what_is_there(turn: &Turn) {
    let installation = turn.install();
    if let Some(database) = installation.database() {
        // It makes the database too.
        database.query_rows(&format!("DROP DATABASE `{}`", database.name()));
    }
    for _ in 0..3 {
        expect_success(installation.command());
    }
    on(&installation, turn, |api| {
        api.must_write(&record("kept", 30, "Engineer"));
    });
    for _ in 0..2 {
        expect_success(installation.command());
    }
    on(&installation, turn, |api| {
        assert_eq!(api.must_get("kept"), record("kept", 30, "Engineer"));
        assert_eq!(api.all_users(10), [record("kept", 30, "Engineer")]);
    });
}
