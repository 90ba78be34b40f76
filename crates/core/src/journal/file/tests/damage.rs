//! Damage is refused with file and offset.

use super::*;

#[tokio::test]
async fn a_flipped_bit_before_the_last_batch_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    let journal = open(&folder, ONE_SEGMENT);
    for body in ["first", "second", "last"] {
        append(&journal, body).await;
    }
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    let mut frames = frames(&path);
    frames.pop();
    assert_eq!(frames.len(), 2);
    for frame in frames {
        for place in frame.clone() {
            for bit in 0..8 {
                std::fs::write(&path, flip(&whole, place, bit)).unwrap();
                let what = format!("bit {bit} of byte {place}");
                assert_corrupt(&folder, 0, frame.start, &what);
            }
        }
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await.len(), 9);
}

#[tokio::test]
async fn a_flipped_bit_in_the_last_batch_drops_that_batch_only() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    let journal = open(&folder, ONE_SEGMENT);
    let kept = append(&journal, "first").await;
    append(&journal, "last").await;
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    let last = frames(&path).pop().unwrap();
    for place in last.clone() {
        for bit in 0..8 {
            std::fs::write(&path, flip(&whole, place, bit)).unwrap();
            let journal = open(&folder, ONE_SEGMENT);
            assert_eq!(waiting(&journal).await, kept, "bit {bit} of byte {place}");
            let length = std::fs::metadata(&path).unwrap().len();
            assert_eq!(length, last.start as u64, "bit {bit} of byte {place}");
        }
    }
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
    let first = header::HEADER_BYTES as usize;
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
    let place = header.len() + second.len();
    assert_corrupt(&folder, 0, place, "out of order");
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
