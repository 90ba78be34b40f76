//! Histories that a register can have.

use super::operation::Outcome;
use super::story::Story;

const DONE: Outcome = Outcome::Done(None);

#[test]
fn writes_and_reads_one_after_the_other_are_right() {
    Story::default()
        .saw_nothing([0, 1])
        .put_at([2, 3], 1, 10)
        .saw_at([4, 5], 1, 10)
        .delete([6, 7])
        .delete_nothing([8, 9])
        .saw_nothing([10, 11])
        .is_right();
}

#[test]
fn readers_of_a_write_under_way_may_see_the_old_value_until_one_has_seen_the_new() {
    Story::default()
        .put([0, 1], 1)
        .put([2, 20], 2)
        .saw([3, 4], 1)
        .saw([5, 8], 2)
        .saw([6, 9], 1)
        .saw([10, 11], 2)
        .is_right();
}

#[test]
fn an_unknown_write_may_take_effect_late() {
    Story::default()
        .maybe_put(0, 1)
        .put([2, 3], 2)
        .saw([4, 5], 2)
        .saw([6, 7], 1)
        .saw([8, 9], 1)
        .is_right();
}

#[test]
fn an_unknown_write_may_never_take_effect() {
    Story::default()
        .maybe_put(0, 1)
        .maybe_delete(0)
        .put([2, 3], 2)
        .saw([4, 5], 2)
        .is_right();
}

#[test]
fn an_unread_unknown_write_may_be_what_a_delete_found() {
    Story::default()
        .maybe_put(0, 1)
        .delete([2, 3])
        .delete_nothing([4, 5])
        .is_right();
}

#[test]
fn an_unknown_delete_may_be_why_nothing_is_there() {
    Story::default()
        .maybe_delete(0)
        .put([1, 2], 1)
        .saw([3, 4], 1)
        .saw_nothing([5, 6])
        .is_right();
}

#[test]
fn conditions_are_judged_where_the_write_takes_place() {
    Story::default()
        .create([0, 1], 1, Outcome::Done(Some(10)))
        .create([2, 3], 2, Outcome::NotMet)
        .replace([4, 9], 3, 10, DONE)
        .replace([4, 9], 4, 10, Outcome::NotMet)
        .replace([4, 9], 5, 99, Outcome::NotMet)
        .delete([10, 15])
        .create([10, 15], 6, DONE)
        .create([10, 15], 7, Outcome::NotMet)
        .is_right();
}

#[test]
fn an_unknown_replacement_may_take_effect_while_its_version_is_there() {
    let story = Story::default()
        .put_at([0, 1], 1, 10)
        .replace([2, 2], 2, 10, Outcome::Unknown)
        .saw_at([3, 4], 1, 10);
    let story = story.saw_at([5, 6], 2, 11);
    story.is_right();
    let too_late = Story::default()
        .put_at([0, 1], 1, 10)
        .put_at([2, 3], 3, 11)
        .replace([4, 4], 2, 10, Outcome::Unknown)
        .saw_at([5, 6], 2, 12);
    assert!(!too_late.culprits().is_empty());
}

#[test]
fn thousands_of_operations_with_many_unknown_writes_are_decided() {
    let mut story = Story::default();
    for round in 0..1_000_u64 {
        let at = round * 100;
        let values = (0..8).map(|client| round * 8 + client + 1);
        for value in values.clone() {
            story = match value % 97 {
                0 => story.maybe_put(at, value),
                1 => story.maybe_delete(at),
                _ => story.put([at + value % 8, at + 40 + value % 5], value),
            };
        }
        let seen = values.filter(|value| value % 97 > 1).max().unwrap();
        for reader in 0..8 {
            story = story.saw([at + 20 + reader, at + 60 + reader], seen);
        }
    }
    story.is_right();
}

#[test]
fn what_was_forgotten_may_be_there_and_so_may_what_was_done_upon_it() {
    let story = |upon: Outcome| {
        Story::default()
            .put_at([0, 1], 1, 10)
            .put_at([2, 3], 2, 11)
            .replace([4, 5], 3, 10, upon)
            .saw_at([8, 9], 3, 12)
    };
    // Value 2 was lost, or the last write came before it.
    assert_eq!(story(Outcome::Unknown).findings_since(7), []);
    assert_eq!(story(DONE).findings_since(7), []);
    assert_ne!(story(DONE).findings_since(0), []);
    // A client that knows an old version asks for it afterwards.
    let story = Story::default()
        .put_at([0, 1], 1, 10)
        .replace([8, 9], 2, 10, DONE)
        .saw([10, 11], 2);
    assert_eq!(story.findings_since(7), []);
}
