//! Writes that fail leave nothing behind, and the next one is tried.

use std::fs::OpenOptions;
use std::io::Write as _;

use super::*;

const ENOSPC: i32 = 28;
const EDQUOT: i32 = 122;
const EMFILE: i32 = 24;
const EROFS: i32 = 30;
const EIO: i32 = 5;

fn assert_not_written(failure: &Error) {
    let part = Part::Journal;
    assert!(
        matches!(failure, Error::NotWritten { part: of, .. } if *of == part),
        "{failure}"
    );
}

fn add_bytes(path: &Path, bytes: &[u8]) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

#[tokio::test]
async fn a_failed_write_is_cut_off_and_the_next_is_taken() {
    for (sync, error) in [
        (JournalSync::Fsync, ENOSPC),
        (JournalSync::Os, EDQUOT),
        (JournalSync::Fsync, EIO),
        (JournalSync::Os, EROFS),
    ] {
        let folder = TempDir::new().unwrap();
        let path = segment_path(&folder, 0);
        let journal = open_with(&folder, sync, ONE_SEGMENT);
        let mut kept = append(&journal, "first").await;
        assert!(journal.health().await.up);
        let end = std::fs::metadata(&path).unwrap().len();

        let full = fault_point::arm(folder.path(), &format!("journal.write=fail:{error}"));
        for _ in 0..3 {
            add_bytes(&path, b"WBf1 half a frame");
            assert_not_written(&try_append(&journal, "failed").await.unwrap_err());
            let health = journal.health().await;
            assert!(!health.up && health.problem.is_some(), "{health:?}");
            assert_eq!(std::fs::metadata(&path).unwrap().len(), end);
        }
        // What was appended before can still be drained.
        assert_eq!(waiting(&journal).await, kept);
        acknowledge(&journal, &kept.remove(0)).await;
        assert_eq!(waiting(&journal).await, kept);
        drop(full);

        kept.extend(append(&journal, "after").await);
        assert!(journal.health().await.up);
        assert_eq!(waiting(&journal).await, kept);
        drop(journal);
        assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, kept);
    }
}

#[tokio::test]
async fn what_cannot_be_cut_off_yet_is_before_the_next_append() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    let journal = open(&folder, ONE_SEGMENT);
    let first = append(&journal, "first").await;
    let full = fault_point::arm(folder.path(), "journal.write=fail:28,journal.cut=fail:5");
    let unknown = try_append(&journal, "failed").await.unwrap_err();
    assert!(matches!(unknown, Error::Unavailable { .. }), "{unknown}");
    // A whole frame, as of a write that succeeded and said that it did not.
    let other = TempDir::new().unwrap();
    append(&open(&other, ONE_SEGMENT), "failed").await;
    let other = std::fs::read(segment_path(&other, 0)).unwrap();
    add_bytes(&path, &other[forms::HEADER_BYTES as usize..]);
    assert_not_written(&try_append(&journal, "refused").await.unwrap_err());
    assert!(!journal.log.probe());
    assert_eq!(waiting(&journal).await, first);
    drop(full);
    let second = append(&journal, "second").await;
    assert_eq!(waiting(&journal).await, [first, second].concat());
    assert_eq!(frames(&path).len(), 2);
}

#[tokio::test]
async fn an_idle_journal_is_up_again_when_its_disk_has_room() {
    for sync in SYNCS {
        let folder = TempDir::new().unwrap();
        let path = segment_path(&folder, 0);
        let journal = open_with(&folder, sync, ONE_SEGMENT);
        let first = append(&journal, "first").await;
        let end = std::fs::metadata(&path).unwrap().len();
        let full = fault_point::arm(folder.path(), "journal.write=fail:28");
        assert_not_written(&try_append(&journal, "failed").await.unwrap_err());
        assert!(!journal.log.probe());
        assert!(!journal.health().await.up);
        drop(full);
        assert!(journal.log.probe());
        assert!(journal.health().await.up);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), end);
        assert_eq!(waiting(&journal).await, first);
    }
}

#[tokio::test]
async fn a_failing_journal_is_probed_without_a_write() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    journal.watch();
    let full = fault_point::arm(folder.path(), "journal.write=fail:28");
    assert_not_written(&try_append(&journal, "failed").await.unwrap_err());
    drop(full);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !journal.health().await.up {
        assert!(std::time::Instant::now() < deadline, "it is not probed");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_segment_that_cannot_be_begun_is_tried_again() {
    for points in [
        format!("journal.segment=fail:{EMFILE}"),
        format!("journal.manifest=fail:{ENOSPC}"),
        format!("journal.begun=fail:{EIO}"),
    ] {
        let folder = TempDir::new().unwrap();
        let journal = open(&folder, A_SEGMENT_A_FRAME);
        let mut kept = append(&journal, "first").await;
        let full = fault_point::arm(folder.path(), &points);
        for _ in 0..2 {
            let failed = try_append(&journal, "failed").await;
            if let Err(failed) = failed {
                assert_not_written(&failed);
                assert!(!journal.health().await.up);
            } else {
                kept.extend(failed.unwrap());
            }
            assert_eq!(waiting(&journal).await, kept, "{points}");
        }
        drop(full);
        kept.extend(append(&journal, "second").await);
        assert!(journal.health().await.up);
        kept.extend(append(&journal, "third").await);
        assert_eq!(waiting(&journal).await, kept, "{points}");
        drop(journal);
        let journal = open(&folder, A_SEGMENT_A_FRAME);
        assert_eq!(waiting(&journal).await, kept, "{points}");
    }
}

#[tokio::test]
async fn a_drained_segment_gives_its_room_back_on_a_full_disk() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    let journal = open(&folder, ONE_SEGMENT);
    let mut first = append(&journal, "first").await;
    let second = append(&journal, "second").await;
    let full = fault_point::arm(folder.path(), "journal.write=fail:28");
    assert_not_written(&try_append(&journal, "failed").await.unwrap_err());
    assert_eq!(frames(&path).len(), 2, "not before it is drained");
    first.extend(second);
    acknowledge(&journal, &first[5]).await;
    assert_not_written(&try_append(&journal, "failed").await.unwrap_err());
    assert_eq!(frames(&path).len(), 0);
    drop(full);
    let third = append(&journal, "third").await;
    assert_eq!(waiting(&journal).await, third);
    assert!(third[0].version > first[5].version);
    drop(journal);
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    let fourth = append(&journal, "fourth").await;
    assert_eq!(waiting(&journal).await, [third, fourth].concat());
}

#[tokio::test]
async fn a_failed_acknowledgement_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    let first = append(&journal, "first").await;
    let second = append(&journal, "second").await;
    drop(journal);
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    // As without a free file descriptor.
    let (path, aside) = (segment_path(&folder, 1), folder.path().join("aside"));
    std::fs::rename(&path, &aside).unwrap();
    let failed = journal.acknowledge(SHARD, second[2].version, &[]).await;
    assert!(
        matches!(failed, Err(Error::Unavailable { .. })),
        "{failed:?}"
    );
    std::fs::rename(&aside, &path).unwrap();
    assert_eq!(waiting(&journal).await, [first, second.clone()].concat());
    acknowledge(&journal, &second[2]).await;
    assert_eq!(waiting(&journal).await, []);
    assert_eq!(segments(&folder), [1]);
}

#[tokio::test]
async fn nothing_is_appended_to_a_segment_that_was_removed() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    append(&journal, "first").await;
    std::fs::remove_file(segment_path(&folder, 0)).unwrap();
    let refused = try_append(&journal, "refused").await.unwrap_err();
    assert_not_written(&refused);
    assert!(refused.to_string().contains("removed"), "{refused}");
    assert!(!journal.health().await.up);
    drop(journal);
    assert_corrupt(&folder, 0, 0, "removed");
}

#[tokio::test]
async fn a_dead_letter_without_room_is_kept_later() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    let record = append(&journal, "refused").await.remove(0);
    let letter = DeadLetter {
        set_aside_at: record.version,
        held_back: false,
        record,
        reason: "why".into(),
    };
    for point in ["journal.letter", "journal.manifest"] {
        let _full = fault_point::arm(folder.path(), &format!("{point}=fail:28"));
        journal.set_aside(SHARD, &letter).await.unwrap_err();
        assert_eq!(journal.dead_letters(9).await.unwrap(), []);
    }
    journal.set_aside(SHARD, &letter).await.unwrap();
    {
        let _full = fault_point::arm(folder.path(), "journal.manifest=fail:5");
        let (key, version) = (&letter.record.key, letter.record.version);
        journal.forget_dead_letter(key, version).await.unwrap_err();
    }
    drop(journal);
    let journal = open(&folder, ONE_SEGMENT);
    assert_eq!(journal.dead_letters(9).await.unwrap(), [letter]);
}
