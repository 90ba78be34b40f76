//! What makes no sense.

use crate::tool::compare;

#[test]
fn what_makes_no_sense_ends_at_once_with_2_and_a_sentence() {
    for (words, says) in [
        (&["--reads", "2"][..], "--reads"),
        (&["--reads", "0.9", "--deletes", "0.9"], "together"),
        (&["--preset", "none"], "database-outage"),
        (&["mysql://root:secret@localhost"], "unexpected"),
    ] {
        let ended = compare(words);
        assert_eq!(ended.code, 2, "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{words:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
        assert!(ended.report.is_null());
    }
}
