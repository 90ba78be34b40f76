//! A journal of the form without manifest and headers is adopted.

use super::*;

/// Takes headers and manifest away, as if an older version had made the journal.
fn make_old(folder: &TempDir) {
    for number in segments(folder) {
        let path = segment_path(folder, number);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[header::HEADER_BYTES as usize..]).unwrap();
    }
    std::fs::remove_file(manifest::path(folder.path())).unwrap();
}

async fn old_journal(folder: &TempDir, bodies: &[&str]) -> Vec<Record> {
    let journal = open(folder, A_SEGMENT_A_FRAME);
    let mut all = Vec::new();
    for body in bodies {
        all.extend(append(&journal, body).await);
    }
    drop(journal);
    make_old(folder);
    all
}

#[tokio::test]
async fn an_older_journal_is_adopted_and_drained() {
    let folder = TempDir::new().unwrap();
    let mut all = old_journal(&folder, &["first", "second", "third"]).await;
    for restart in 0..3 {
        let journal = open(&folder, ONE_SEGMENT);
        assert_eq!(waiting(&journal).await, all, "restart {restart}");
        all.extend(append(&journal, "after").await);
        assert_eq!(segments(&folder), [0, 1, 2, 3]);
    }
    let journal = open(&folder, ONE_SEGMENT);
    acknowledge(&journal, &all[4]).await;
    assert_eq!(segments(&folder), [1, 2, 3]);
    acknowledge(&journal, &all[8]).await;
    assert_eq!(segments(&folder), [3]);
    assert_eq!(waiting(&journal).await, all[9..]);
    drop(journal);
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, all[9..]);
}

#[tokio::test]
async fn an_older_journal_that_a_crash_left_is_adopted() {
    let folder = TempDir::new().unwrap();
    let all = old_journal(&folder, &["first", "second"]).await;
    let path = segment_path(&folder, 1);
    let whole = std::fs::read(&path).unwrap();
    for torn in [&whole[..whole.len() - 1], &[]] {
        std::fs::write(&path, torn).unwrap();
        let journal = open(&folder, ONE_SEGMENT);
        assert_eq!(waiting(&journal).await, all[..3]);
        assert_eq!(segments(&folder), [0, 1, 2]);
        drop(journal);
        std::fs::remove_file(segment_path(&folder, 2)).unwrap();
        std::fs::remove_file(manifest::path(folder.path())).unwrap();
    }
}

#[tokio::test]
async fn a_crash_while_it_is_adopted_is_no_refusal() {
    let folder = TempDir::new().unwrap();
    let all = old_journal(&folder, &["first", "second"]).await;
    for point in ["journal.manifest=fail:28@1", "journal.segment=fail:28@1"] {
        let full = fault::arm(folder.path(), point);
        refusal(&folder);
        drop(full);
    }
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, all);
}

#[tokio::test]
async fn a_gap_in_an_older_journal_is_refused() {
    let folder = TempDir::new().unwrap();
    old_journal(&folder, &["first", "second", "third"]).await;
    std::fs::remove_file(segment_path(&folder, 1)).unwrap();
    assert_corrupt(&folder, 1, 0, "missing");
    assert!(!manifest::path(folder.path()).exists(), "it is untouched");
}

#[tokio::test]
async fn a_crash_while_a_journal_is_made_leaves_a_new_one() {
    for point in ["journal.segment=fail:28", "journal.manifest=fail:28@1"] {
        let folder = TempDir::new().unwrap();
        let full = fault::arm(folder.path(), point);
        refusal(&folder);
        drop(full);
        let journal = open(&folder, ONE_SEGMENT);
        let first = append(&journal, "first").await;
        assert_eq!(waiting(&journal).await, first);
    }
}
