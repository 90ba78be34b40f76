//! The note of what was acknowledged last.

use super::*;

#[tokio::test]
async fn a_missing_or_damaged_note_is_refused() {
    let folder = TempDir::new().unwrap();
    let all = append(&open(&folder, ONE_SEGMENT), "first").await;
    let path = synced::path(folder.path());
    let whole = std::fs::read(&path).unwrap();
    for damaged in [
        None,
        Some(Vec::new()),
        Some(vec![0; 8_192]),
        Some(whole[..50].to_vec()),
    ] {
        match damaged {
            None => std::fs::remove_file(&path).unwrap(),
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
        }
        let refused = refusal(&folder);
        assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
        assert!(
            refused.to_string().contains(path.to_str().unwrap()),
            "{refused}"
        );
    }
    std::fs::write(&path, whole).unwrap();
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, all);
}

#[tokio::test]
async fn an_older_note_hides_nothing_that_is_there() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    let mut all = append(&journal, "first").await;
    let older = std::fs::read(synced::path(folder.path())).unwrap();
    for body in ["second", "third"] {
        all.extend(append(&journal, body).await);
    }
    drop(journal);
    std::fs::write(synced::path(folder.path()), older).unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    assert_eq!(waiting(&journal).await, all);
}

#[tokio::test]
async fn a_torn_change_of_the_note_leaves_the_one_before() {
    let folder = TempDir::new().unwrap();
    let path = synced::path(folder.path());
    let journal = open(&folder, ONE_SEGMENT);
    append(&journal, "first").await;
    let before = std::fs::read(&path).unwrap();
    append(&journal, "second").await;
    let after = std::fs::read(&path).unwrap();
    let newest = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        synced::read(folder.path()).unwrap().unwrap().end
    };
    let (first, second) = (newest(&before), newest(&after));
    assert!(second.position > first.position);
    for cut in 0..before.len() {
        let torn = [&after[..cut], &before[cut..]].concat();
        let read = newest(&torn);
        assert!(read == first || read == second, "cut at {cut}: {read:?}");
    }
}

#[tokio::test]
async fn a_batch_whose_note_fails_is_not_taken() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    let mut kept = append(&journal, "first").await;
    let broken = fault_point::arm(folder.path(), "journal.note=fail:5");
    let unknown = try_append(&journal, "unknown").await.unwrap_err();
    assert!(matches!(unknown, Error::Unavailable { .. }), "{unknown}");
    assert!(!journal.log.probe());
    assert!(!journal.health().await.up);
    assert_eq!(waiting(&journal).await, kept);
    drop(broken);
    assert!(journal.log.probe());
    kept.extend(append(&journal, "second").await);
    drop(journal);
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, kept);
}

#[tokio::test]
async fn a_note_of_acknowledged_beyond_what_exists_skips_nothing() {
    let folder = TempDir::new().unwrap();
    let all = append(&open(&folder, ONE_SEGMENT), "first").await;
    let beyond = all[2].version.next().unwrap().get().to_le_bytes();
    let note = [&beyond[..], &crc32fast::hash(&beyond).to_le_bytes()].concat();
    std::fs::write(folder.path().join("acknowledged"), note).unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    assert_eq!(waiting(&journal).await, all);
    assert!(append(&journal, "after").await[0].version > all[2].version);
}
