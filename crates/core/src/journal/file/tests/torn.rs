//! What a crash leaves behind.

use super::*;

#[tokio::test]
async fn a_batch_that_is_cut_short_anywhere_is_dropped() {
    for sync in SYNCS {
        let folder = TempDir::new().unwrap();
        let path = segment_path(&folder, 0);
        let journal = open_with(&folder, sync, ONE_SEGMENT);
        let mut kept = append(&journal, "first").await;
        kept.extend(append(&journal, "second").await);
        append(&journal, "cut short").await;
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        let last = frames(&path).pop().unwrap();
        for cut in last {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let journal = open_with(&folder, sync, ONE_SEGMENT);
            assert_eq!(waiting(&journal).await, kept, "cut at byte {cut}");
            let after = append(&journal, "after").await;
            let all = [kept.clone(), after].concat();
            assert_eq!(waiting(&journal).await, all, "cut at byte {cut}");
            drop(journal);
            let journal = open_with(&folder, sync, ONE_SEGMENT);
            assert_eq!(waiting(&journal).await, all, "cut at byte {cut}");
        }
    }
}

#[tokio::test]
async fn a_first_batch_that_was_cut_short_leaves_an_empty_journal() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    append(&open(&folder, ONE_SEGMENT), "cut short").await;
    let whole = std::fs::read(&path).unwrap();
    for cut in header::HEADER_BYTES as usize..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let journal = open(&folder, ONE_SEGMENT);
        assert_eq!(waiting(&journal).await, [], "cut at byte {cut}");
        let after = append(&journal, "after").await;
        assert_eq!(waiting(&journal).await, after, "cut at byte {cut}");
    }
}

#[tokio::test]
async fn whatever_stands_behind_the_last_whole_batch_is_dropped() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    let kept = append(&open(&folder, ONE_SEGMENT), "kept").await;
    let whole = std::fs::read(&path).unwrap();
    let first = frames(&path)[0].start;
    let header = whole[first..first + frame::HEADER_BYTES].to_vec();
    let garbage = (0..999).map(|_| fastrand::u8(..)).collect();
    // A file that was made longer but not written, a header without its
    // payload, and the start of a header again and again.
    for tail in [
        vec![0; 1],
        vec![0; 4_096],
        header,
        frame::MAGIC.repeat(50),
        garbage,
    ] {
        std::fs::write(&path, [&whole[..], &tail].concat()).unwrap();
        let journal = open(&folder, ONE_SEGMENT);
        assert_eq!(waiting(&journal).await, kept);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        append(&journal, "after").await;
    }
}

#[tokio::test]
async fn an_unlisted_segment_without_a_batch_is_begun_again() {
    let folder = TempDir::new().unwrap();
    let mut all = append(&open(&folder, ONE_SEGMENT), "0").await;
    let mut header = std::fs::read(segment_path(&folder, 0)).unwrap();
    header.truncate(header::HEADER_BYTES as usize);
    for left in [&[][..], &header] {
        std::fs::write(segment_path(&folder, 1), left).unwrap();
        let journal = open(&folder, ONE_SEGMENT);
        assert_eq!(waiting(&journal).await, all);
        all.extend(append(&journal, "0").await);
        assert_eq!(waiting(&journal).await, all);
    }
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    all.extend(append(&journal, "1").await);
    drop(journal);
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, all);
    assert_eq!(frames(&segment_path(&folder, 1)).len(), 1);
}
