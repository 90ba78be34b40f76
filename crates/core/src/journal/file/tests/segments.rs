//! When segments begin and when they are deleted.

use super::*;

#[tokio::test]
async fn full_segments_are_followed_and_drained_ones_are_deleted() {
    let folder = TempDir::new().unwrap();
    append(&open(&folder, ONE_SEGMENT), "0").await;
    let frame_bytes = frames(&segment_path(&folder, 0))[0].len() as u64;

    // Two frames are just as large as a segment, one is smaller.
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, frame_bytes * 2);
    let mut appended = Vec::new();
    for number in 0..7 {
        appended.extend(append(&journal, &number.to_string()).await);
        assert_eq!(segments(&folder), (0..=number / 2).collect::<Vec<u64>>());
    }
    for number in segments(&folder) {
        let count = frames(&segment_path(&folder, number)).len();
        assert_eq!(count, if number < 3 { 2 } else { 1 });
    }
    // Six entries a segment. One that still holds an entry stays.
    for (entries, first) in [(1, 0), (5, 0), (6, 1), (11, 1), (18, 3), (20, 3), (21, 3)] {
        acknowledge(&journal, &appended[entries - 1]).await;
        assert_eq!(
            segments(&folder),
            (first..=3).collect::<Vec<u64>>(),
            "after {entries}"
        );
        assert_eq!(waiting(&journal).await, appended[entries..]);
    }
    let after = append(&journal, "8").await;
    assert_eq!(segments(&folder), [3]);
    let next = append(&journal, "9").await;
    assert_eq!(segments(&folder), [3, 4]);
    acknowledge(&journal, &after[2]).await;
    assert_eq!(segments(&folder), [4]);
    assert_eq!(waiting(&journal).await, next);
    drop(journal);
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, next);
}

#[tokio::test]
async fn drained_segments_that_a_crash_left_are_deleted() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    let mut appended = Vec::new();
    for body in ["first", "second", "third"] {
        appended.extend(append(&journal, body).await);
    }
    let left: Vec<_> = [0, 1]
        .map(|number| std::fs::read(segment_path(&folder, number)).unwrap())
        .into();
    acknowledge(&journal, &appended[6]).await;
    assert_eq!(segments(&folder), [2]);
    drop(journal);
    for (number, segment) in (0..).zip(left) {
        std::fs::write(segment_path(&folder, number), segment).unwrap();
    }
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    assert_eq!(segments(&folder), [2]);
    assert_eq!(waiting(&journal).await, appended[7..]);
}

#[tokio::test]
async fn other_files_in_the_folder_are_left_alone() {
    let folder = TempDir::new().unwrap();
    let others = ["README", "x.segment", "0.segment.bak", ".segment"];
    for other in others {
        std::fs::write(folder.path().join(other), "?").unwrap();
    }
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    append(&journal, "first").await;
    let second = append(&journal, "second").await;
    acknowledge(&journal, &second[2]).await;
    drop(journal);
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, []);
    for other in others {
        assert_eq!(std::fs::read(folder.path().join(other)).unwrap(), b"?");
    }
}
