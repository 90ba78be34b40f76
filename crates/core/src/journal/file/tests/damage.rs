//! Damage is refused with file and offset.

use super::*;

#[tokio::test]
async fn a_flipped_bit_in_any_batch_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    let journal = open(&folder, ONE_SEGMENT);
    let mut all = append(&journal, "first").await;
    all.extend(append(&journal, "second").await);
    all.extend(append(&journal, "last").await);
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    for (number, frame) in frames(&path).into_iter().enumerate() {
        for place in frame.clone() {
            let bit = place as u32 % 8;
            std::fs::write(&path, flip(&whole, place, bit)).unwrap();
            let what = format!("bit {bit} of byte {place}");
            assert_corrupt(&folder, 0, frame.start, &what);
            let after = number
                .checked_sub(1)
                .map(|before| all[3 * before + 2].version);
            let through = match number {
                2 => all[8].version,
                _ => all[3 * number + 3].version.just_before(),
            };
            let lost = format!(
                "the entries after version {} up to version {through}, 3 in number",
                after.unwrap_or_default()
            );
            let refused = refusal(&folder).to_string();
            assert!(refused.contains(&lost), "{what}: {lost}: {refused}");
        }
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await.len(), 9);
}

#[tokio::test]
async fn a_cut_or_zeroed_end_of_the_last_segment_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    let journal = open(&folder, ONE_SEGMENT);
    for body in ["first", "second", "last"] {
        append(&journal, body).await;
    }
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    let frames = frames(&path);
    for cut in forms::HEADER_BYTES as usize..whole.len() {
        let frame = frames.iter().find(|frame| frame.contains(&cut)).unwrap();
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert_corrupt(&folder, 0, frame.start, &format!("cut at {cut}"));
        let mut zeroed = whole.clone();
        zeroed[cut..].fill(0);
        if zeroed != whole {
            std::fs::write(&path, &zeroed).unwrap();
            assert_corrupt(&folder, 0, frame.start, &format!("zeroed from {cut}"));
        }
    }
    std::fs::write(&path, &whole[..frames[1].start]).unwrap();
    let refused = refusal(&folder).to_string();
    assert!(refused.contains("6 in number"), "{refused}");
}

#[tokio::test]
async fn a_frame_cut_out_anywhere_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    let journal = open(&folder, ONE_SEGMENT);
    for body in ["0", "1", "2", "3"] {
        append(&journal, body).await;
    }
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    for frame in frames(&path) {
        let without = [&whole[..frame.start], &whole[frame.end..]].concat();
        std::fs::write(&path, without).unwrap();
        assert_corrupt(&folder, 0, frame.start, &format!("without {frame:?}"));
        let refused = refusal(&folder).to_string();
        assert!(refused.contains("3 in number"), "{refused}");
    }
}

#[tokio::test]
async fn exchanged_segments_are_refused() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    for body in ["0", "1", "2", "3"] {
        append(&journal, body).await;
    }
    drop(journal);
    let aside = folder.path().join("aside");
    for (one, other) in [(0, 1), (0, 3), (1, 2), (2, 3)] {
        let (one, other) = (segment_path(&folder, one), segment_path(&folder, other));
        let exchange = || {
            std::fs::rename(&one, &aside).unwrap();
            std::fs::rename(&other, &one).unwrap();
            std::fs::rename(&aside, &other).unwrap();
        };
        exchange();
        assert!(matches!(refusal(&folder), Error::Corrupt { .. }));
        exchange();
    }
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await.len(), 12);
}

#[tokio::test]
async fn an_older_copy_of_a_segment_is_refused() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    append(&journal, "first").await;
    let path = segment_path(&folder, 0);
    let older = std::fs::read(&path).unwrap();
    append(&journal, "second").await;
    drop(journal);
    std::fs::write(&path, &older).unwrap();
    assert_corrupt(&folder, 0, older.len(), "older");
}

/// A segment that was emptied on a full disk goes on from where it began.
#[tokio::test]
async fn an_older_copy_of_an_emptied_segment_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    let journal = open(&folder, ONE_SEGMENT);
    let mut drained = append(&journal, "first").await;
    drained.extend(append(&journal, "second").await);
    let older = std::fs::read(&path).unwrap();
    acknowledge(&journal, &drained[5]).await;
    let full = fault_point::arm(folder.path(), "journal.write=fail:28@1");
    let kept = append(&journal, "a longer one").await;
    drop(full);
    assert_eq!(frames(&path).len(), 1);
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &older).unwrap();
    assert!(matches!(refusal(&folder), Error::Corrupt { .. }));
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, kept);
}

#[tokio::test]
async fn a_damaged_end_of_an_older_segment_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 1);
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    for body in ["first", "second", "third"] {
        append(&journal, body).await;
    }
    drop(journal);
    assert_eq!(segments(&folder), [0, 1, 2]);
    let whole = std::fs::read(&path).unwrap();
    let first = forms::HEADER_BYTES as usize;
    for place in 0..whole.len() {
        std::fs::write(&path, flip(&whole, place, 3)).unwrap();
        let frame = if place < first { 0 } else { first };
        assert_corrupt(&folder, 1, frame, &format!("flipped at {place}"));
        std::fs::write(&path, &whole[..place]).unwrap();
        let end = if place < first { 0 } else { place };
        assert_corrupt(&folder, 1, end, &format!("cut at {place}"));
    }
}

#[tokio::test]
async fn batches_out_of_order_or_twice_are_refused() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    let journal = open(&folder, ONE_SEGMENT);
    append(&journal, "first").await;
    append(&journal, "second").await;
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    let [first, second] = [0, 1].map(|frame| frames(&path)[frame].clone());
    let header = &whole[..first.start];
    let [first, second] = [first, second].map(|frame| &whole[frame]);
    std::fs::write(&path, [header, second, first].concat()).unwrap();
    assert_corrupt(&folder, 0, header.len(), "out of order");
    std::fs::write(&path, [header, first, first].concat()).unwrap();
    assert_corrupt(&folder, 0, header.len() + first.len(), "twice");
}

#[tokio::test]
async fn damage_found_while_reading_skips_nothing() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    let journal = open(&folder, ONE_SEGMENT);
    let first = append(&journal, "first").await;
    append(&journal, "second").await;
    append(&journal, "third").await;
    let second = frames(&path)[1].clone();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, flip(&whole, second.end - 1, 0)).unwrap();
    for after in [Version::ZERO, first[2].version] {
        let read = journal.read(SHARD, after, 100).await;
        let Err(Error::Corrupt { reason, .. }) = read else {
            panic!("{read:?}")
        };
        assert!(
            reason.contains(&format!("{} at byte {}:", path.display(), second.start)),
            "{reason}"
        );
    }
    assert_eq!(journal.read(SHARD, Version::ZERO, 3).await.unwrap(), first);
}
