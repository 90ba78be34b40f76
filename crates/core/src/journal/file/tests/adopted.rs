//! Journals of older forms are adopted.

use super::*;

/// The forms of earlier versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Frames alone, and nothing else.
    Bare,
    /// Headers and a manifest as well.
    Listed,
}

/// Writes the journal as an older version would have, without the note.
fn make_old(folder: &TempDir, form: Form) {
    let numbers = segments(folder);
    for number in &numbers {
        let path = segment_path(folder, *number);
        let file = File::open(&path).unwrap();
        let header = header::SegmentHeader::read(&file).unwrap().unwrap();
        let mut bytes = Vec::new();
        if form == Form::Listed {
            let previous_end = match number.checked_sub(1) {
                Some(before) => std::fs::metadata(segment_path(folder, before))
                    .unwrap()
                    .len(),
                None => 0,
            };
            let older = header::SegmentHeader {
                previous_end,
                link: None,
                ..header
            };
            bytes = older.bytes();
        }
        for frame in frames(&path) {
            let (_, records) = segment::frame_at(&file, frame.start as u64)
                .unwrap()
                .unwrap();
            let mut buffer = Vec::new();
            frame::encode(&records, None, &mut buffer);
            bytes.extend(buffer);
        }
        std::fs::write(&path, bytes).unwrap();
    }
    std::fs::remove_file(synced::path(folder.path())).unwrap();
    std::fs::remove_file(manifest::path(folder.path())).unwrap();
    if form == Form::Listed {
        let last = numbers.last().unwrap();
        std::fs::write(manifest::path(folder.path()), older_manifest(*last)).unwrap();
    }
}

/// The manifest of segments 0 to `last`, as the version before this one wrote it.
fn older_manifest(last: u64) -> String {
    let line =
        format!("write-behind-journal=1 changes=7 first=0 last={last} headed=0 dead-letters=0");
    let checksum = crc32fast::hash(line.as_bytes());
    let line = format!("{line} checksum={checksum:08x}");
    format!("{line:4095}\n").repeat(2)
}

async fn old_journal(folder: &TempDir, form: Form, bodies: &[&str]) -> Vec<Record> {
    let journal = open(folder, A_SEGMENT_A_FRAME);
    let mut all = Vec::new();
    for body in bodies {
        all.extend(append(&journal, body).await);
    }
    drop(journal);
    make_old(folder, form);
    all
}

#[tokio::test]
async fn an_older_journal_is_adopted_and_drained() {
    for form in [Form::Bare, Form::Listed] {
        let folder = TempDir::new().unwrap();
        let mut all = old_journal(&folder, form, &["first", "second", "third"]).await;
        for restart in 0..3 {
            let journal = open(&folder, ONE_SEGMENT);
            assert_eq!(waiting(&journal).await, all, "{form:?}, restart {restart}");
            all.extend(append(&journal, "after").await);
            assert_eq!(segments(&folder), [0, 1, 2, 3]);
        }
        assert_eq!(frames(&segment_path(&folder, 3)).len(), 3);
        let journal = open(&folder, ONE_SEGMENT);
        acknowledge(&journal, &all[4]).await;
        assert_eq!(segments(&folder), [1, 2, 3]);
        acknowledge(&journal, &all[8]).await;
        assert_eq!(segments(&folder), [3]);
        assert_eq!(waiting(&journal).await, all[9..]);
        drop(journal);
        assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, all[9..]);
    }
}

#[tokio::test]
async fn an_older_journal_that_a_crash_left_is_adopted() {
    for form in [Form::Bare, Form::Listed] {
        let folder = TempDir::new().unwrap();
        let all = old_journal(&folder, form, &["first", "second"]).await;
        let path = segment_path(&folder, 1);
        let whole = std::fs::read(&path).unwrap();
        let start = if form == Form::Bare { 0 } else { 32 };
        for torn in [&whole[..whole.len() - 1], &whole[..start]] {
            std::fs::write(&path, torn).unwrap();
            let journal = open(&folder, ONE_SEGMENT);
            assert_eq!(waiting(&journal).await, all[..3]);
            let after = append(&journal, "after").await;
            assert_eq!(segments(&folder), [0, 1, 2]);
            assert_eq!(std::fs::read(&path).unwrap(), torn, "it is not cut");
            drop(journal);
            let read = waiting(&open(&folder, ONE_SEGMENT)).await;
            assert_eq!(read, [&all[..3], &after].concat());
            // As it was before.
            std::fs::write(&path, &whole).unwrap();
            std::fs::remove_file(segment_path(&folder, 2)).unwrap();
            std::fs::remove_file(synced::path(folder.path())).unwrap();
            match form {
                Form::Bare => std::fs::remove_file(manifest::path(folder.path())).unwrap(),
                Form::Listed => {
                    std::fs::write(manifest::path(folder.path()), older_manifest(1)).unwrap();
                }
            }
        }
    }
}

/// An older version would take chained frames for a torn tail and cut them off.
#[tokio::test]
async fn no_slot_of_an_adopted_manifest_is_of_the_older_format() {
    let folder = TempDir::new().unwrap();
    old_journal(&folder, Form::Listed, &["first"]).await;
    drop(open(&folder, ONE_SEGMENT));
    let manifest = std::fs::read_to_string(manifest::path(folder.path())).unwrap();
    assert_eq!(manifest.matches("write-behind-journal=3").count(), 2);
    assert!(!manifest.contains("write-behind-journal=1"), "{manifest}");
}

/// An older version would take packed bodies for records that the database refuses.
#[tokio::test]
async fn a_journal_of_unpacked_bodies_is_read_and_refused_to_older_versions() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    let mut all = append(&journal, "before").await;
    drop(journal);
    let path = manifest::path(folder.path());
    let slots = std::fs::read_to_string(&path).unwrap();
    let unpacked = slots.lines().map(|slot| {
        let (line, _) = slot.rsplit_once(" checksum=").unwrap();
        let line = line.replace("journal=3", "journal=2");
        let checksum = crc32fast::hash(line.as_bytes());
        let line = format!("{line} checksum={checksum:08x}");
        format!("{line:4095}\n")
    });
    std::fs::write(&path, unpacked.collect::<String>()).unwrap();
    for _ in 0..2 {
        let journal = open(&folder, ONE_SEGMENT);
        assert_eq!(waiting(&journal).await, all);
        all.extend(append(&journal, "after").await);
        drop(journal);
        let slots = std::fs::read_to_string(&path).unwrap();
        assert_eq!(slots.matches("write-behind-journal=3").count(), 2);
    }
}

#[tokio::test]
async fn a_crash_while_it_is_adopted_is_no_refusal() {
    for form in [Form::Bare, Form::Listed] {
        let folder = TempDir::new().unwrap();
        let mut all = old_journal(&folder, form, &["first", "second"]).await;
        let points = ["journal.manifest=fail:28@1", "journal.manifest=fail:28@2"];
        for point in points.into_iter().chain(["journal.note=fail:28@1"]) {
            let full = fault_point::arm(folder.path(), point);
            let _ = FileJournal::open(folder.path(), JournalSync::Os, ONE_SEGMENT);
            drop(full);
        }
        let journal = open(&folder, ONE_SEGMENT);
        assert_eq!(waiting(&journal).await, all);
        all.extend(append(&journal, "after").await);
        drop(journal);
        assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, all);
    }
}

#[tokio::test]
async fn a_gap_in_an_older_journal_is_refused() {
    let folder = TempDir::new().unwrap();
    old_journal(&folder, Form::Bare, &["first", "second", "third"]).await;
    std::fs::remove_file(segment_path(&folder, 1)).unwrap();
    assert_corrupt(&folder, 1, 0, "missing");
    assert!(!manifest::path(folder.path()).exists(), "it is untouched");
}

#[tokio::test]
async fn a_crash_while_a_journal_is_made_leaves_a_new_one() {
    for point in ["journal.segment=fail:28", "journal.manifest=fail:28@1"] {
        let folder = TempDir::new().unwrap();
        let full = fault_point::arm(folder.path(), point);
        refusal(&folder);
        drop(full);
        let journal = open(&folder, ONE_SEGMENT);
        let first = append(&journal, "first").await;
        assert_eq!(waiting(&journal).await, first);
    }
}
