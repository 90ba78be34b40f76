//! The folder: one process at a time.

use super::*;

#[tokio::test]
async fn a_second_opener_is_refused_while_the_journal_is_open() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    let first = append(&journal, "first").await;
    for _ in 0..2 {
        let error = refusal(&folder);
        assert!(
            matches!(
                error,
                Error::Unavailable {
                    part: Part::Journal,
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("another process"), "{error}");
    }
    let second = append(&journal, "second").await;
    drop(journal);
    let journal = open(&folder, ONE_SEGMENT);
    assert_eq!(waiting(&journal).await, [first, second].concat());
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "x").unwrap();
    let below = path.join("journal");
    let error = FileJournal::open(&below, JournalSync::Os, ONE_SEGMENT).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unavailable {
                part: Part::Journal,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains(below.to_str().unwrap()),
        "{error}"
    );
}

/// Where a file system gives the number of a free inode again, too.
#[tokio::test]
async fn files_that_were_made_again_are_noticed() {
    for name in ["manifest", "synced"] {
        let folder = TempDir::new().unwrap();
        let journal = open(&folder, ONE_SEGMENT);
        append(&journal, "first").await;
        let path = folder.path().join(name);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let refused = try_append(&journal, "second").await.unwrap_err();
        assert!(
            matches!(refused, Error::NotAdmitted(_)),
            "{name}: {refused}"
        );
    }
}
