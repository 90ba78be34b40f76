//! The note of what is acknowledged.

use super::*;

#[tokio::test]
async fn a_torn_or_missing_note_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("acknowledged");
    let journal = open(&folder, ONE_SEGMENT);
    let mut appended = append(&journal, "first").await;
    appended.extend(append(&journal, "second").await);
    acknowledge(&journal, &appended[3]).await;
    assert_eq!(waiting(&journal).await, appended[4..]);
    drop(journal);
    let note = std::fs::read(&path).unwrap();
    let mut damaged: Vec<Vec<u8>> = (0..note.len()).map(|cut| note[..cut].to_vec()).collect();
    for place in 0..note.len() {
        damaged.extend((0..8).map(|bit| flip(&note, place, bit)));
    }
    damaged.push(vec![0; note.len()]);
    for damaged in damaged {
        std::fs::write(&path, &damaged).unwrap();
        let journal = open(&folder, ONE_SEGMENT);
        assert_eq!(waiting(&journal).await, appended, "{damaged:?}");
    }
    std::fs::remove_file(&path).unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    assert_eq!(waiting(&journal).await, appended);
    // From here on it is noted again.
    acknowledge(&journal, &appended[4]).await;
    drop(journal);
    assert_eq!(std::fs::read(&path).unwrap().len(), note.len());
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, appended[5..]);
}

#[tokio::test]
async fn versions_go_on_above_the_note_in_a_segment_without_batches() {
    let ahead = Version::new(Version::now().get() + 3_600_000_000).unwrap();
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    journal.raise(&ahead).await.unwrap();
    let before = append(&journal, "before").await;
    acknowledge(&journal, &before[2]).await;
    let full = fault_point::arm(folder.path(), "journal.write=fail:28");
    try_append(&journal, "it is emptied").await.unwrap_err();
    drop(full);
    drop(journal);
    assert!(frames(&segment_path(&folder, 0)).is_empty());

    let journal = FileJournal::open(folder.path(), JournalSync::Os, ONE_SEGMENT).unwrap();
    journal.raise(&Version::ZERO).await.unwrap();
    let after = append(&journal, "after").await;
    assert!(
        after[0].version > before[2].version,
        "{after:?} after {before:?}"
    );
    // An entry below the note would count as acknowledged.
    assert_eq!(waiting(&journal).await, after);
    drop(journal);
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, after);
}

#[tokio::test]
async fn drained_segments_are_deleted_without_a_note() {
    let folder = TempDir::new().unwrap();
    drop(open(&folder, A_SEGMENT_A_FRAME));
    let note = folder.path().join("acknowledged");
    std::fs::remove_file(&note).unwrap();
    std::fs::create_dir(&note).unwrap();
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    append(&journal, "one").await;
    let last = append(&journal, "two").await.pop().unwrap();
    append(&journal, "three").await;
    journal.acknowledge(SHARD, last.version, &[]).await.unwrap();
    assert_eq!(
        waiting(&journal).await.len(),
        3,
        "what was not drained is there"
    );
    assert_eq!(
        segment::list(folder.path()).unwrap(),
        [2],
        "what was drained takes no space"
    );
}

#[tokio::test]
async fn a_note_that_was_removed_is_made_again() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    let first = append(&journal, "first").await;
    let second = append(&journal, "second").await;
    acknowledge(&journal, &first[2]).await;
    std::fs::remove_file(folder.path().join("acknowledged")).unwrap();
    acknowledge(&journal, &second[1]).await;
    drop(journal);
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, second[2..]);
}
