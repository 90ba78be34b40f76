//! Any valid record at all goes in and comes out again as it was.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use testkit::records::{valid_name, valid_occupation};

use crate::api::{Api, record, version};
use crate::combination::Turn;

checks!(arbitrary: any_valid_record_is_read_back_as_it_was_written);

const RECORDS: u32 = 100;

pub(crate) fn any_valid_record_is_read_back_as_it_was_written(turn: &Turn) {
    let mut running = turn.start();
    let api = Api::of(&running);
    let newest: RefCell<BTreeMap<String, Value>> = RefCell::default();
    let config = Config {
        cases: RECORDS,
        failure_persistence: None,
        ..Config::default()
    };
    let records = (valid_name(), 0..=150_u8, valid_occupation());
    let outcome = TestRunner::new(config).run(&records, |(name, age, occupation)| {
        let written = record(&name, age, &occupation);
        let answer = api.write(&written);
        prop_assert_eq!(answer.status, 200);
        newest.borrow_mut().insert(name.clone(), written.clone());
        for read in [api.get(&name), api.read(&name)] {
            prop_assert_eq!(read.status, 200);
            prop_assert_eq!(read.json(), written.clone());
            prop_assert_eq!(version(&read), version(&answer));
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));

    // The database has the same, in the order of the names' bytes.
    api.settle();
    let newest = newest.into_inner();
    let expected: Vec<&Value> = newest.values().collect();
    assert_eq!(api.all_users(100).iter().collect::<Vec<_>>(), expected);
    running.restart();
    let api = Api::of(&running);
    for (name, written) in &newest {
        assert_eq!(&api.must_get(name), written);
    }
}
