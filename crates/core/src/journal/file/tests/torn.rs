//! What a crash leaves behind.

use super::*;

fn note_path(folder: &TempDir) -> PathBuf {
    synced::path(folder.path())
}

/// Appends a batch without the note of it, as before a crash.
async fn append_unnoted(journal: &FileJournal, folder: &TempDir, body: &str) -> Vec<Record> {
    let before = std::fs::read(note_path(folder)).unwrap();
    let appended = append(journal, body).await;
    std::fs::write(note_path(folder), before).unwrap();
    appended
}

fn warnings(folder: &TempDir) -> Vec<String> {
    let layout = layout::recognise(folder.path()).unwrap();
    let opening = opening::verify(folder.path(), layout).unwrap();
    opening.sentences(folder.path())
}

/// Changes the note as if the machine had been booted since.
fn boot(folder: &TempDir) {
    let path = note_path(folder);
    let mut bytes = std::fs::read(&path).unwrap();
    for slot in bytes.chunks_mut(4_096) {
        slot[56..72].fill(7);
        let checksum = crc32fast::hash(&slot[8..72]);
        slot[4..8].copy_from_slice(&checksum.to_le_bytes());
    }
    std::fs::write(&path, bytes).unwrap();
}

#[tokio::test]
async fn a_batch_that_is_cut_short_anywhere_is_not_read() {
    for sync in SYNCS {
        let folder = TempDir::new().unwrap();
        let path = segment_path(&folder, 0);
        let journal = open_with(&folder, sync, ONE_SEGMENT);
        let mut kept = append(&journal, "first").await;
        kept.extend(append(&journal, "second").await);
        append_unnoted(&journal, &folder, "cut short").await;
        let note = std::fs::read(note_path(&folder)).unwrap();
        drop(journal);
        let manifest = std::fs::read(manifest::path(folder.path())).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let last = frames(&path).pop().unwrap();
        for cut in last.clone() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            std::fs::write(note_path(&folder), &note).unwrap();
            std::fs::write(manifest::path(folder.path()), &manifest).unwrap();
            let _ = std::fs::remove_file(segment_path(&folder, 1));
            let warned = warnings(&folder);
            assert_eq!(warned.len(), usize::from(cut > last.start), "{warned:?}");
            assert!(
                warned
                    .iter()
                    .all(|said| said.contains("was never acknowledged"))
            );
            let journal = open_with(&folder, sync, ONE_SEGMENT);
            assert_eq!(waiting(&journal).await, kept, "cut at byte {cut}");
            let after = append(&journal, "after").await;
            let all = [kept.clone(), after].concat();
            assert_eq!(waiting(&journal).await, all, "cut at byte {cut}");
            if cut > last.start {
                assert_eq!(
                    std::fs::read(&path).unwrap(),
                    &whole[..cut],
                    "it is not cut"
                );
            }
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
    let journal = open(&folder, ONE_SEGMENT);
    append_unnoted(&journal, &folder, "cut short").await;
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    assert_eq!(waiting(&journal).await, []);
    let after = append(&journal, "after").await;
    assert_eq!(waiting(&journal).await, after);
}

#[tokio::test]
async fn what_stands_behind_the_last_whole_batch_stays_there() {
    let garbage = (0..999).map(|_| fastrand::u8(..)).collect();
    // A file that was made longer but not written, a header without its
    // payload, and the start of a header again and again.
    for tail in [
        vec![0; 1],
        vec![0; 4_096],
        b"WBf2 and no more of a header than that".to_vec(),
        b"WBf".repeat(50),
        garbage,
    ] {
        let folder = TempDir::new().unwrap();
        let path = segment_path(&folder, 0);
        let mut kept = append(&open(&folder, ONE_SEGMENT), "kept").await;
        let whole = std::fs::read(&path).unwrap();
        let with_tail = [&whole[..], &tail].concat();
        std::fs::write(&path, &with_tail).unwrap();
        let journal = open(&folder, ONE_SEGMENT);
        assert_eq!(waiting(&journal).await, kept);
        kept.extend(append(&journal, "after").await);
        drop(journal);
        let journal = open(&folder, ONE_SEGMENT);
        assert_eq!(waiting(&journal).await, kept);
        assert_eq!(std::fs::read(&path).unwrap(), with_tail);

        acknowledge(&journal, &kept[2]).await;
        assert_eq!(segments(&folder), [1]);
        let aside = tail::path(folder.path(), 0, whole.len() as u64);
        match tail.iter().all(|byte| *byte == 0) {
            true => assert_eq!(tail::list(folder.path()), [] as [PathBuf; 0]),
            false => assert_eq!(std::fs::read(aside).unwrap(), tail),
        }
        assert_eq!(waiting(&journal).await, kept[3..]);
    }
}

#[tokio::test]
async fn the_kept_tails_are_bounded() {
    let folder = TempDir::new().unwrap();
    for round in 0..20 {
        let journal = open(&folder, ONE_SEGMENT);
        let last = append(&journal, "kept").await.remove(2);
        drop(journal);
        let path = segment_path(&folder, *segments(&folder).last().unwrap());
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], b"torn"].concat()).unwrap();
        let journal = open(&folder, ONE_SEGMENT);
        append(&journal, "next").await;
        acknowledge(&journal, &last).await;
        assert_eq!(tail::list(folder.path()).len(), (round + 1).min(16));
    }
}

/// A start on a full disk works, and draining makes room.
#[tokio::test]
async fn a_torn_tail_on_a_full_disk_is_kept_once_there_is_room() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    let kept = append(&open(&folder, ONE_SEGMENT), "kept").await;
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&whole[..], b"torn"].concat()).unwrap();
    let full = fault_point::arm(folder.path(), "journal.segment=fail:28");
    let journal = open(&folder, ONE_SEGMENT);
    assert_eq!(waiting(&journal).await, kept);
    for _ in 0..2 {
        let refused = try_append(&journal, "refused").await.unwrap_err();
        assert!(matches!(refused, Error::NotWritten { .. }), "{refused}");
    }
    acknowledge(&journal, &kept[2]).await;
    let after = append(&journal, "after").await;
    assert_eq!(waiting(&journal).await, after);
    let aside = tail::path(folder.path(), 0, whole.len() as u64);
    assert_eq!(std::fs::read(aside).unwrap(), b"torn");
    drop(full);
    drop(journal);
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, after);
}

#[tokio::test]
async fn after_a_boot_a_torn_batch_may_have_been_acknowledged() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    let journal = open_with(&folder, JournalSync::Fsync, ONE_SEGMENT);
    let kept = append(&journal, "first").await;
    append_unnoted(&journal, &folder, "cut short").await;
    let note = std::fs::read(note_path(&folder)).unwrap();
    drop(journal);
    std::fs::write(note_path(&folder), note).unwrap();
    boot(&folder);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let warned = warnings(&folder);
    assert!(
        warned[0].contains("may have been acknowledged"),
        "{warned:?}"
    );
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, kept);
}

/// What was synced is not taken by a power loss, what was not may be.
#[tokio::test]
async fn a_boot_excuses_a_missing_batch_only_where_it_was_not_synced() {
    for sync in SYNCS {
        let folder = TempDir::new().unwrap();
        let path = segment_path(&folder, 0);
        let journal = open_with(&folder, sync, ONE_SEGMENT);
        let kept = append(&journal, "first").await;
        let end = std::fs::metadata(&path).unwrap().len();
        let lost = append(&journal, "second").await;
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..end as usize]).unwrap();
        assert_corrupt(&folder, 0, end as usize, "of this boot");
        boot(&folder);
        if sync == JournalSync::Fsync {
            assert_corrupt(&folder, 0, end as usize, "synced");
            continue;
        }
        let warned = warnings(&folder);
        let what = format!(
            "after version {} up to version {}, 3 in number",
            kept[2].version, lost[2].version
        );
        assert!(warned[0].contains(&what), "{what}: {warned:?}");
        let journal = open(&folder, ONE_SEGMENT);
        assert_eq!(waiting(&journal).await, kept);
        assert!(append(&journal, "after").await[0].version > lost[2].version);
    }
}

#[tokio::test]
async fn an_unlisted_segment_without_a_batch_is_rewritten() {
    let folder = TempDir::new().unwrap();
    let mut all = append(&open(&folder, ONE_SEGMENT), "0").await;
    let mut header = std::fs::read(segment_path(&folder, 0)).unwrap();
    header.truncate(forms::HEADER_BYTES as usize);
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
