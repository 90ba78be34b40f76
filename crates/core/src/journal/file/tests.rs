//! What only the file journal can get wrong: its files, between a crash and the next start.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::ops::Range;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;

const SYNCS: [JournalSync; 2] = [JournalSync::Fsync, JournalSync::Os];
/// More than any test writes.
const ONE_SEGMENT: u64 = 1 << 20;
/// Less than any frame takes.
const A_SEGMENT_A_FRAME: u64 = 1;

fn open(folder: &TempDir, segment_bytes: u64) -> FileJournal {
    open_with(folder, JournalSync::Os, segment_bytes)
}

fn open_with(folder: &TempDir, sync: JournalSync, segment_bytes: u64) -> FileJournal {
    let journal = FileJournal::open(folder.path(), sync, segment_bytes).unwrap();
    journal
        .clock
        .raise(lock(&journal.tail).newest.unwrap_or_default());
    journal
}

fn refusal(folder: &TempDir) -> Error {
    match FileJournal::open(folder.path(), JournalSync::Os, ONE_SEGMENT) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

/// Appends a batch of three: a value, a tombstone, and a value again.
async fn append(journal: &FileJournal, body: &str) -> Vec<Record> {
    try_append(journal, body).await.unwrap()
}

async fn try_append(journal: &FileJournal, body: &str) -> Result<Vec<Record>> {
    let put = |name| Write::put(Key::from(name), Bytes::copy_from_slice(body.as_bytes()));
    let writes = [put("Ann"), Write::delete(Key::from("Bob")), put("Zoë 👍🏽")];
    let appended: Vec<Appended> = journal
        .append(&writes)
        .await
        .into_iter()
        .collect::<Result<_>>()?;
    let records = writes
        .iter()
        .zip(appended)
        .map(|(write, appended)| match appended {
            Appended::At(version) => write.at(version),
            other => panic!("{other:?}"),
        });
    Ok(records.collect())
}

async fn waiting(journal: &FileJournal) -> Vec<Record> {
    let waiting = journal.read(SHARD, Version::ZERO, 1_000).await.unwrap();
    let stats = journal.stats().await.unwrap()[0];
    assert_eq!(stats.depth, waiting.len() as u64);
    waiting
}

async fn acknowledge(journal: &FileJournal, last: &Record) {
    journal.acknowledge(SHARD, last.version, &[]).await.unwrap();
}

fn segment_path(folder: &TempDir, number: u64) -> PathBuf {
    segment::path(folder.path(), number)
}

fn segments(folder: &TempDir) -> Vec<u64> {
    segment::list(folder.path()).unwrap()
}

/// Where each frame of a whole segment is.
fn frames(path: &Path) -> Vec<Range<usize>> {
    let file = File::open(path).unwrap();
    let mut frames = Vec::new();
    let mut start = 0;
    while let Some((header, _)) = segment::frame_at(&file, start as u64).unwrap() {
        let end = start + header.frame_bytes() as usize;
        frames.push(start..end);
        start = end;
    }
    assert_eq!(file.metadata().unwrap().len(), start as u64);
    frames
}

fn flip(bytes: &[u8], place: usize, bit: u32) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[place] ^= 1 << bit;
    flipped
}

/// That opening is refused as damage at `offset` of segment `number`, and
/// leaves the file as it is.
fn assert_corrupt(folder: &TempDir, number: u64, offset: usize, what: &str) {
    let path = segment_path(folder, number);
    let before = std::fs::read(&path).ok();
    let error = refusal(folder);
    assert!(
        matches!(
            error,
            Error::Corrupt {
                part: Part::Journal,
                ..
            }
        ),
        "{what}: {error}"
    );
    let place = format!("{} at byte {offset}:", path.display());
    assert!(error.to_string().contains(&place), "{what}: {error}");
    assert_eq!(std::fs::read(&path).ok(), before);
}

// What a crash leaves behind

#[tokio::test]
async fn a_batch_that_was_cut_short_anywhere_is_dropped_and_all_before_it_is_kept() {
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
    for cut in 0..whole.len() {
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
    let header = whole[..frame::HEADER_BYTES].to_vec();
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
async fn a_segment_that_was_only_just_begun_is_gone_on_with() {
    let folder = TempDir::new().unwrap();
    let kept = append(&open(&folder, ONE_SEGMENT), "kept").await;
    File::create(segment_path(&folder, 1)).unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    assert_eq!(waiting(&journal).await, kept);
    let after = append(&journal, "after").await;
    assert_eq!(waiting(&journal).await, [kept, after].concat());
    assert_eq!(frames(&segment_path(&folder, 1)).len(), 1);
}

// Damage

#[tokio::test]
async fn a_flipped_bit_anywhere_before_the_last_batch_is_refused_naming_file_and_byte() {
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
async fn the_end_of_an_older_segment_is_not_taken_for_the_end_of_the_journal() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 1);
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    for body in ["first", "second", "third"] {
        append(&journal, body).await;
    }
    drop(journal);
    assert_eq!(segments(&folder), [0, 1, 2]);
    let whole = std::fs::read(&path).unwrap();
    for place in 0..whole.len() {
        std::fs::write(&path, flip(&whole, place, 3)).unwrap();
        assert_corrupt(&folder, 1, 0, &format!("flipped at {place}"));
        if place > 0 {
            std::fs::write(&path, &whole[..place]).unwrap();
            assert_corrupt(&folder, 1, 0, &format!("cut at {place}"));
        }
    }
}

#[tokio::test]
async fn a_segment_that_is_missing_in_the_middle_is_refused() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    for body in ["first", "second", "third", "fourth"] {
        append(&journal, body).await;
    }
    drop(journal);
    for missing in [1, 2] {
        let path = segment_path(&folder, missing);
        let whole = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_corrupt(&folder, missing, 0, "missing");
        std::fs::write(&path, whole).unwrap();
    }
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await.len(), 12);
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
    let second = frames(&path)[1].start;
    let (first_frame, second_frame) = whole.split_at(second);
    std::fs::write(&path, [second_frame, first_frame].concat()).unwrap();
    assert_corrupt(&folder, 0, second_frame.len(), "out of order");
    std::fs::write(&path, [first_frame, first_frame].concat()).unwrap();
    assert_corrupt(&folder, 0, first_frame.len(), "twice");
}

#[tokio::test]
async fn damage_that_is_found_while_reading_is_an_error_and_skips_nothing() {
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

// Segments

#[tokio::test]
async fn segments_begin_at_their_size_and_are_deleted_when_they_are_acknowledged() {
    let folder = TempDir::new().unwrap();
    append(&open(&folder, ONE_SEGMENT), "0").await;
    let frame_bytes = std::fs::metadata(segment_path(&folder, 0)).unwrap().len();

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
async fn acknowledged_segments_that_a_crash_left_are_deleted_at_the_next_start() {
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

// Failed writes

#[tokio::test]
async fn after_a_failed_append_nothing_more_is_taken_until_the_journal_is_reopened() {
    for sync in SYNCS {
        let folder = TempDir::new().unwrap();
        let journal = open_with(&folder, sync, ONE_SEGMENT);
        let mut acknowledged = append(&journal, "first").await;
        acknowledged.extend(append(&journal, "second").await);
        assert!(journal.health().await.up);

        lock(&journal.writer).break_file();
        let failure = try_append(&journal, "failed").await.unwrap_err();
        assert!(
            matches!(
                failure,
                Error::Unavailable {
                    part: Part::Journal,
                    ..
                }
            ),
            "{failure}"
        );
        let health = journal.health().await;
        assert!(!health.up && health.problem.is_some(), "{health:?}");
        for _ in 0..3 {
            let refused = try_append(&journal, "refused").await.unwrap_err();
            assert!(
                refused.to_string().contains("an earlier append failed"),
                "{refused}"
            );
            assert!(!journal.health().await.up);
        }
        // What was appended before can still be drained.
        assert_eq!(waiting(&journal).await, acknowledged);
        acknowledge(&journal, &acknowledged.remove(0)).await;
        assert_eq!(waiting(&journal).await, acknowledged);
        drop(journal);

        let journal = open_with(&folder, sync, ONE_SEGMENT);
        assert!(journal.health().await.up);
        assert_eq!(waiting(&journal).await, acknowledged);
        acknowledged.extend(append(&journal, "after").await);
        assert_eq!(waiting(&journal).await, acknowledged);
    }
}

#[tokio::test]
async fn a_segment_that_cannot_be_begun_poisons_as_well() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    let first = append(&journal, "first").await;
    // The name is taken.
    let in_the_way = segment_path(&folder, 1);
    std::fs::create_dir(&in_the_way).unwrap();
    try_append(&journal, "failed").await.unwrap_err();
    std::fs::remove_dir(&in_the_way).unwrap();
    let refused = try_append(&journal, "refused").await.unwrap_err();
    assert!(
        refused.to_string().contains("an earlier append failed"),
        "{refused}"
    );
    assert!(!journal.health().await.up);
    drop(journal);
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    let second = append(&journal, "second").await;
    assert_eq!(waiting(&journal).await, [first, second].concat());
}

#[tokio::test]
async fn what_a_failed_append_left_on_the_disk_is_not_read() {
    let folder = TempDir::new().unwrap();
    let path = segment_path(&folder, 0);
    let journal = open(&folder, ONE_SEGMENT);
    let first = append(&journal, "first").await;
    lock(&journal.writer).break_file();
    try_append(&journal, "failed").await.unwrap_err();
    // A whole frame, as when the write succeeded and the sync did not.
    let other = TempDir::new().unwrap();
    append(&open(&other, ONE_SEGMENT), "failed").await;
    let frame = std::fs::read(segment_path(&other, 0)).unwrap();
    OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(&frame)
        .unwrap();

    assert_eq!(waiting(&journal).await, first);
    acknowledge(&journal, &first[2]).await;
    assert_eq!(waiting(&journal).await, []);
    // Reopening finds it: whether it took place was unknown, now it did.
    drop(journal);
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await.len(), 3);
}

// One process

#[tokio::test]
async fn a_second_opener_is_refused_while_the_journal_is_open() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    let first = append(&journal, "first").await;
    for _ in 0..2 {
        let error = refusal(&folder);
        assert!(
            matches!(
                error,
                Error::Unavailable {
                    part: Part::Journal,
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("another process"), "{error}");
    }
    let second = append(&journal, "second").await;
    drop(journal);
    let journal = open(&folder, ONE_SEGMENT);
    assert_eq!(waiting(&journal).await, [first, second].concat());
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "x").unwrap();
    let below = path.join("journal");
    let error = FileJournal::open(&below, JournalSync::Os, ONE_SEGMENT).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unavailable {
                part: Part::Journal,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains(below.to_str().unwrap()),
        "{error}"
    );
}

// The note of what is acknowledged

#[tokio::test]
async fn a_note_that_is_torn_or_missing_delivers_again_and_loses_nothing() {
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
async fn versions_go_on_above_the_note_when_every_segment_is_gone() {
    let ahead = Version::new(Version::now().get() + 3_600_000_000).unwrap();
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    journal.raise(&ahead).await.unwrap();
    let before = append(&journal, "before").await;
    acknowledge(&journal, &before[2]).await;
    drop(journal);
    std::fs::remove_file(segment_path(&folder, 0)).unwrap();

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

/// As on a full disk, where a note that is not there yet cannot be made.
#[tokio::test]
async fn what_is_drained_is_freed_also_when_it_cannot_be_noted() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    append(&journal, "one").await;
    let last = append(&journal, "two").await.pop().unwrap();
    append(&journal, "three").await;
    std::fs::create_dir(folder.path().join("acknowledged")).unwrap();
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
