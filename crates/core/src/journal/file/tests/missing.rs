//! Files that there have to be.

use super::*;

const ADVICE: &str = "Put the folder back as it was";

/// A journal of four segments of a batch each, closed.
async fn four_segments(folder: &TempDir) -> Vec<Record> {
    let journal = open(folder, A_SEGMENT_A_FRAME);
    let mut all = Vec::new();
    for body in ["first", "second", "third", "fourth"] {
        all.extend(append(&journal, body).await);
    }
    assert_eq!(segments(folder), [0, 1, 2, 3]);
    all
}

fn manifest_path(folder: &TempDir) -> PathBuf {
    manifest::path(folder.path())
}

/// That opening is refused as damage, naming `path` and what to do.
fn assert_refused(folder: &TempDir, path: &Path) -> String {
    let refused = refusal(folder);
    assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
    let refused = refused.to_string();
    assert!(refused.contains(path.to_str().unwrap()), "{refused}");
    assert!(refused.contains(ADVICE), "{refused}");
    refused
}

#[tokio::test]
async fn a_missing_or_emptied_segment_is_refused_whichever_it_is() {
    let folder = TempDir::new().unwrap();
    let all = four_segments(&folder).await;
    for number in 0..4 {
        let path = segment_path(&folder, number);
        let whole = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_corrupt(&folder, number, 0, "missing");
        let refused = assert_refused(&folder, &path);
        let entries = &all[3 * number as usize..][..3];
        let after = match number {
            0 => Version::ZERO,
            _ => all[3 * number as usize - 1].version,
        };
        let through = entries[2].version;
        let which = format!("the entries after version {after} up to version {through}");
        assert!(refused.contains(&which), "{refused}");
        std::fs::write(&path, "").unwrap();
        assert_corrupt(&folder, number, 0, "emptied");
        std::fs::write(&path, whole).unwrap();
    }
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, all);
}

#[tokio::test]
async fn the_only_segment_missing_is_refused_also_when_it_is_drained() {
    for drained in [false, true] {
        let folder = TempDir::new().unwrap();
        let journal = open(&folder, ONE_SEGMENT);
        let last = append(&journal, "only").await.remove(2);
        if drained {
            acknowledge(&journal, &last).await;
        }
        drop(journal);
        std::fs::remove_file(segment_path(&folder, 0)).unwrap();
        assert_refused(&folder, &segment_path(&folder, 0));
    }
}

#[tokio::test]
async fn a_segment_in_the_place_of_another_is_refused() {
    let folder = TempDir::new().unwrap();
    four_segments(&folder).await;
    let third = std::fs::read(segment_path(&folder, 2)).unwrap();
    std::fs::copy(segment_path(&folder, 1), segment_path(&folder, 2)).unwrap();
    assert_corrupt(&folder, 2, 0, "another");
    std::fs::write(segment_path(&folder, 2), third).unwrap();
    // Of another journal, as large as this one.
    let other = TempDir::new().unwrap();
    four_segments(&other).await;
    std::fs::copy(segment_path(&other, 2), segment_path(&folder, 2)).unwrap();
    assert_corrupt(&folder, 2, 0, "another journal's");
}

#[tokio::test]
async fn a_missing_or_damaged_manifest_is_refused() {
    let folder = TempDir::new().unwrap();
    four_segments(&folder).await;
    let path = manifest_path(&folder);
    let whole = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_refused(&folder, &path);
    for number in 0..4 {
        std::fs::remove_file(segment_path(&folder, number)).unwrap();
        assert_refused(&folder, &path);
    }
    std::fs::write(&path, "").unwrap();
    assert_refused(&folder, &path);
    std::fs::write(&path, whole).unwrap();
    assert_refused(&folder, &segment_path(&folder, 0));
}

#[tokio::test]
async fn an_emptied_folder_is_a_new_journal() {
    let folder = TempDir::new().unwrap();
    let before = four_segments(&folder).await;
    std::fs::remove_dir_all(folder.path()).unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    assert_eq!(waiting(&journal).await, []);
    assert!(append(&journal, "after").await[0].version > before[11].version);
}

async fn set_aside(journal: &FileJournal, records: &[Record]) {
    for record in records {
        let letter = DeadLetter {
            record: record.clone(),
            reason: "why".into(),
            set_aside_at: record.version,
            held_back: false,
        };
        journal.set_aside(SHARD, &letter).await.unwrap();
    }
}

#[tokio::test]
async fn a_missing_or_emptied_dead_letter_is_refused() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    let records = append(&journal, "refused").await;
    set_aside(&journal, &records).await;
    acknowledge(&journal, &records[2]).await;
    let (key, version) = (&records[0].key, records[0].version);
    assert!(journal.forget_dead_letter(key, version).await.unwrap());
    drop(journal);
    let letters = folder.path().join("dead-letters");
    let path = letters.join(format!("{:020}.letter", records[1].version.get()));
    let whole = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let refused = assert_refused(&folder, &letters);
    assert!(refused.contains("1 of 2 dead letters"), "{refused}");
    std::fs::write(&path, "").unwrap();
    assert_refused(&folder, &path);
    std::fs::write(&path, whole).unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    assert_eq!(journal.dead_letters(9).await.unwrap().len(), 2);
    drop(journal);
    std::fs::remove_dir_all(&letters).unwrap();
    let refused = assert_refused(&folder, &letters);
    assert!(refused.contains("0 of 2 dead letters"), "{refused}");
}

/// Their number is right, and one is gone.
#[tokio::test]
async fn a_dead_letter_under_the_name_of_another_is_refused() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    let records = append(&journal, "refused").await;
    let letters = folder.path().join("dead-letters");
    let path = |record: &Record| letters.join(format!("{:020}.letter", record.version.get()));
    set_aside(&journal, &records).await;
    drop(journal);
    std::fs::copy(path(&records[0]), path(&records[1])).unwrap();
    assert_refused(&folder, &path(&records[1]));
}

#[tokio::test]
async fn deletions_that_a_crash_or_a_fault_interrupts_are_no_loss() {
    let folder = TempDir::new().unwrap();
    let all = four_segments(&folder).await;
    let whole = std::fs::read(manifest_path(&folder)).unwrap();
    // Up to the middle of a segment each.
    for (first, (point, last)) in (0..).zip([("journal.manifest", 4), ("journal.delete", 7)]) {
        let journal = open(&folder, A_SEGMENT_A_FRAME);
        let broken = fault_point::arm(folder.path(), &format!("{point}=fail:5"));
        acknowledge(&journal, &all[last]).await;
        let left: Vec<u64> = (first..4).collect();
        assert_eq!(segments(&folder), left, "{point}");
        assert_eq!(waiting(&journal).await, all[last + 1..], "{point}");
        drop(broken);
        drop(journal);
        let journal = open(&folder, A_SEGMENT_A_FRAME);
        assert_eq!(waiting(&journal).await, all[last + 1..], "{point}");
        assert_eq!(segments(&folder), left[1..], "{point}");
    }
    // The manifest from before the deletion demands what was deleted.
    std::fs::write(manifest_path(&folder), whole).unwrap();
    assert_refused(&folder, &segment_path(&folder, 0));
}

#[tokio::test]
async fn a_copy_with_an_older_manifest_has_all_that_it_holds() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, A_SEGMENT_A_FRAME);
    let mut all = append(&journal, "first").await;
    all.extend(append(&journal, "second").await);
    let older = std::fs::read(manifest_path(&folder)).unwrap();
    all.extend(append(&journal, "third").await);
    all.extend(append(&journal, "fourth").await);
    drop(journal);
    std::fs::write(manifest_path(&folder), older).unwrap();
    assert_eq!(waiting(&open(&folder, ONE_SEGMENT)).await, all);
    std::fs::remove_file(segment_path(&folder, 3)).unwrap();
    assert_refused(&folder, &segment_path(&folder, 3));
}
