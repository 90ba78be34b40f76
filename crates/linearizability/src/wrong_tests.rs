//! Histories that no register can have, each with the operations that show it.

use super::check::{Budget, check};
use super::operation::Outcome;
use super::report::Finding;
use super::story::Story;

const DONE: Outcome = Outcome::Done(None);

#[test]
fn a_stale_read_after_an_acknowledged_write_is_found() {
    let story = Story::default()
        .put([0, 1], 1)
        .put([2, 3], 2)
        .saw([4, 5], 1);
    assert_eq!(story.culprits(), [0, 1, 2]);
}

#[test]
fn a_lost_acknowledged_write_is_found() {
    assert_eq!(
        Story::default()
            .put([0, 1], 1)
            .saw_nothing([2, 3])
            .culprits(),
        [0, 1]
    );
    // Even if a delete would explain it that was itself sure to find something else.
    let story = Story::default()
        .put([0, 1], 1)
        .delete([2, 3])
        .put([4, 5], 2)
        .saw_nothing([6, 7]);
    assert!(!story.culprits().is_empty());
}

#[test]
fn a_read_of_a_value_that_was_never_written_is_found() {
    assert_eq!(
        Story::default().put([0, 1], 1).saw([2, 3], 9).culprits(),
        [1]
    );
}

#[test]
fn new_then_old_then_new_again_is_found() {
    let story = Story::default()
        .put([0, 1], 1)
        .put([2, 20], 2)
        .saw([3, 4], 2)
        .saw([5, 6], 1)
        .saw([7, 8], 2);
    // The last read takes no part in it: it is wrong without that.
    assert_eq!(story.culprits().len(), 4);
}

#[test]
fn a_resurrected_delete_is_found() {
    let story = Story::default()
        .put([0, 1], 1)
        .delete([2, 3])
        .saw([4, 5], 1);
    assert_eq!(story.culprits(), [0, 1, 2]);
}

#[test]
fn a_write_that_was_refused_or_failed_and_is_seen_is_found() {
    let refused = Story::default()
        .put([0, 1], 1)
        .create([2, 3], 2, Outcome::NotMet)
        .saw([4, 5], 2);
    assert_eq!(refused.culprits(), [1, 2]);
    let failed = Story::default()
        .create([2, 3], 2, Outcome::Failed)
        .saw([4, 5], 2);
    assert_eq!(failed.culprits(), [0, 1]);
}

#[test]
fn two_creates_with_no_delete_between_are_found() {
    let story = Story::default()
        .create([0, 5], 1, DONE)
        .create([1, 6], 2, DONE);
    assert_eq!(story.culprits(), [0, 1]);
    let deleted = story.maybe_delete(4);
    deleted.is_right();
}

#[test]
fn two_rivals_that_both_replace_one_version_are_found() {
    let story = Story::default()
        .put_at([0, 1], 1, 10)
        .replace([2, 5], 2, 10, DONE)
        .replace([3, 6], 3, 10, DONE);
    assert_eq!(story.culprits(), [0, 1, 2]);
}

#[test]
fn replacing_a_version_that_is_not_there_any_more_or_was_never_is_found() {
    let gone = Story::default()
        .put_at([0, 1], 1, 10)
        .put_at([2, 3], 2, 11)
        .replace([4, 5], 3, 10, DONE);
    assert_eq!(gone.culprits(), [0, 1, 2]);
    let never = Story::default()
        .put_at([0, 1], 1, 10)
        .replace([4, 5], 3, 9, DONE);
    assert_eq!(never.culprits(), [1]);
    let refused = Story::default()
        .put_at([0, 1], 1, 10)
        .replace([4, 5], 3, 10, Outcome::NotMet);
    assert_eq!(refused.culprits(), [0, 1]);
}

#[test]
fn a_create_that_is_refused_where_there_is_nothing_is_found() {
    let story = Story::default().create([0, 1], 1, Outcome::NotMet);
    assert_eq!(story.culprits(), [0]);
}

#[test]
fn a_value_that_was_read_before_its_put_was_invoked_is_found() {
    assert_eq!(
        Story::default().saw([0, 1], 1).put([2, 3], 1).culprits(),
        [0, 1]
    );
}

#[test]
fn an_unknown_write_that_takes_effect_twice_is_found() {
    let story = Story::default()
        .maybe_put(0, 1)
        .saw([2, 3], 1)
        .put([4, 5], 2)
        .saw([6, 7], 2)
        .saw([8, 9], 1);
    assert!(!story.culprits().is_empty());
}

#[test]
fn an_unknown_delete_that_takes_effect_twice_is_found() {
    let story = Story::default()
        .put([0, 1], 1)
        .maybe_delete(2)
        .saw_nothing([3, 4])
        .put([5, 6], 2)
        .saw_nothing([7, 8]);
    assert!(!story.culprits().is_empty());
}

#[test]
fn two_deletes_that_both_found_one_value_are_found() {
    let story = Story::default()
        .put([0, 1], 1)
        .delete([2, 5])
        .delete([3, 6]);
    assert_eq!(story.culprits(), [1, 2]);
}

#[test]
fn a_delete_that_found_nothing_where_there_was_something_is_found() {
    let story = Story::default()
        .put([0, 1], 1)
        .delete_nothing([2, 3])
        .saw([4, 5], 1);
    assert!(!story.culprits().is_empty());
}

#[test]
fn the_counterexample_is_small_in_a_long_history() {
    let mut story = Story::default();
    for value in 1..1000 {
        let at = value * 10;
        story = story.put([at, at + 3], value).saw([at + 4, at + 6], value);
    }
    let story = story.saw([20_000, 20_001], 998);
    assert!(story.culprits().len() <= 4);
}

#[test]
fn an_older_version_after_a_newer_is_found_though_the_values_alone_are_right() {
    let versions = |story: Story| match story.findings().as_slice() {
        [Finding::Version(offence)] => offence.operations.len(),
        findings => panic!("{findings:?}"),
    };
    let older = Story::default().put_at([0, 1], 1, 10).put_at([2, 3], 2, 9);
    assert_eq!(versions(older), 2);
    let same = Story::default().put_at([0, 9], 1, 10).put_at([2, 3], 2, 10);
    assert_eq!(versions(same), 2);
    let changed = Story::default().put_at([0, 1], 1, 10).saw_at([2, 3], 1, 11);
    assert_eq!(versions(changed), 2);
}

#[test]
fn a_search_that_takes_too_much_is_undecided() {
    let story = Story::default()
        .put([0, 9], 1)
        .put([0, 9], 2)
        .saw([10, 11], 1);
    let findings = check(&story.0, Budget { ways: 2 });
    assert_eq!(findings, [Finding::Undecided]);
}

#[test]
fn what_was_done_upon_another_value_than_the_one_asked_for_is_wrong_also_when_that_was_forgotten() {
    // Value 1 was there by 9, and value 2 replaced it.
    let story = Story::default()
        .put_at([0, 1], 1, 10)
        .saw([8, 9], 1)
        .put([10, 11], 2)
        .replace([12, 13], 3, 10, DONE);
    assert_ne!(story.findings_since(7), []);
}
