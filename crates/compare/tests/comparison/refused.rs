//! What makes no sense.

use crate::tool::compare;

#[test]
fn what_makes_no_sense_ends_at_once_with_2_and_a_sentence() {
    for (words, says) in [
        (&["--reads", "2"][..], "--reads"),
        (&["--preset", "none"], "database-outage"),
        (&["--cache", "redis://localhost"], "--database"),
        (
            &[
                "--cache",
                "mysql://localhost",
                "--database",
                "mysql://localhost",
            ],
            "redis://",
        ),
        (
            &[
                "--cache",
                "redis://localhost",
                "--database",
                "redis://localhost",
            ],
            "mysql://",
        ),
        (
            &[
                "--write-through",
                "ftp://localhost",
                "--write-behind",
                "http://localhost",
            ],
            "http://",
        ),
    ] {
        let ended = compare(words);
        assert_eq!(ended.code, 2, "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{words:?}: {}", ended.stderr);
        assert!(ended.report.is_null());
    }
}
