//! A segment whose sync failed is not trusted any more; the journal goes on in
//! a new one.

use super::*;

fn header_of(folder: &TempDir, number: u64) -> header::SegmentHeader {
    let file = File::open(segment_path(folder, number)).unwrap();
    header::SegmentHeader::read(&file).unwrap().unwrap()
}

#[tokio::test]
async fn after_a_failed_sync_the_batch_is_in_a_new_segment() {
    let folder = TempDir::new().unwrap();
    let journal = open_with(&folder, JournalSync::Fsync, ONE_SEGMENT);
    let mut kept = append(&journal, "first").await;
    let end = std::fs::metadata(segment_path(&folder, 0)).unwrap().len();
    let _broken = fault_point::arm(folder.path(), "journal.sync=fail:5@1");
    kept.extend(append(&journal, "second").await);
    kept.extend(append(&journal, "third").await);
    assert!(journal.health().await.up);
    assert_eq!(segments(&folder), [0, 1]);
    assert_eq!(frames(&segment_path(&folder, 1)).len(), 2);
    // What was written before the failed sync is still behind the end, and not read.
    assert_eq!(header_of(&folder, 1).previous_end, end);
    assert_eq!(frames(&segment_path(&folder, 0)).len(), 2);
    assert_eq!(waiting(&journal).await, kept);
    drop(journal);
    let journal = open(&folder, ONE_SEGMENT);
    assert_eq!(waiting(&journal).await, kept);
    acknowledge(&journal, &kept[2]).await;
    assert_eq!(segments(&folder), [1]);
    assert_eq!(waiting(&journal).await, kept[3..]);
}

#[tokio::test]
async fn while_no_new_segment_can_be_begun_nothing_is_taken() {
    let folder = TempDir::new().unwrap();
    let journal = open_with(&folder, JournalSync::Fsync, ONE_SEGMENT);
    let mut kept = append(&journal, "first").await;
    let broken = fault_point::arm(
        folder.path(),
        "journal.sync=fail:5@1,journal.segment=fail:28",
    );
    // The next start may find it.
    let unknown = try_append(&journal, "unknown").await.unwrap_err();
    assert!(matches!(unknown, Error::Unavailable { .. }), "{unknown}");
    for _ in 0..2 {
        let refused = try_append(&journal, "refused").await.unwrap_err();
        assert!(matches!(refused, Error::NotWritten { .. }), "{refused}");
        assert!(!journal.log.probe());
        assert!(!journal.health().await.up);
        assert_eq!(waiting(&journal).await, kept);
    }
    let copy = TempDir::new().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    assert_eq!(waiting(&open(&copy, ONE_SEGMENT)).await.len(), 6);

    drop(broken);
    assert!(journal.log.probe());
    assert!(journal.health().await.up);
    kept.extend(append(&journal, "second").await);
    assert_eq!(waiting(&journal).await, kept);
    drop(journal);
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, kept);
}

#[tokio::test]
async fn syncs_that_go_on_failing_leave_one_segment() {
    let folder = TempDir::new().unwrap();
    let journal = open_with(&folder, JournalSync::Fsync, ONE_SEGMENT);
    let mut kept = append(&journal, "first").await;
    let broken = fault_point::arm(folder.path(), "journal.sync=fail:122");
    for _ in 0..9 {
        let unknown = try_append(&journal, "unknown").await.unwrap_err();
        assert!(matches!(unknown, Error::Unavailable { .. }), "{unknown}");
        assert!(!journal.log.probe());
    }
    assert_eq!(segments(&folder), [0, 1]);
    drop(broken);
    kept.extend(append(&journal, "second").await);
    assert_eq!(waiting(&journal).await, kept);
    drop(journal);
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, kept);
}

#[tokio::test]
async fn a_failed_sync_of_an_unsynced_segment_refuses_nothing() {
    let folder = TempDir::new().unwrap();
    let journal = open_with(&folder, JournalSync::Os, A_SEGMENT_A_FRAME);
    let first = append(&journal, "first").await;
    let _broken = fault_point::arm(folder.path(), "journal.sync=fail:5");
    let second = append(&journal, "second").await;
    assert_eq!(waiting(&journal).await, [first, second].concat());
}
