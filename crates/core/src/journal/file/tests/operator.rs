//! Showing a journal, and salvaging a damaged one.

use super::*;

/// Every file and its bytes.
fn state(folder: &TempDir) -> Vec<(PathBuf, Vec<u8>)> {
    let mut state = Vec::new();
    let letters = folder.path().join("dead-letters");
    for folder in [folder.path(), &letters] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                state.push((path.clone(), std::fs::read(path).unwrap()));
            }
        }
    }
    state.sort();
    state
}

/// Three segments of a batch, and a dead letter.
async fn three_segments(folder: &TempDir) -> Vec<Record> {
    let journal = open(folder, A_SEGMENT_A_FRAME);
    let mut all = Vec::new();
    for body in ["first", "second", "third"] {
        all.extend(append(&journal, body).await);
    }
    let letter = DeadLetter {
        record: all[0].clone(),
        reason: "why".into(),
        set_aside_at: all[0].version,
        held_back: false,
    };
    journal.set_aside(SHARD, &letter).await.unwrap();
    all
}

fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[tokio::test]
async fn a_whole_journal_is_shown_while_it_is_open() {
    let folder = TempDir::new().unwrap();
    three_segments(&folder).await;
    let journal = open(&folder, ONE_SEGMENT);
    let before = state(&folder);
    let brief = show(folder.path(), false).unwrap();
    assert_says(
        &brief,
        &[
            "segments 0 to 2, 1 dead letters",
            "1 frames, 3 entries",
            "9 entries since",
            "a start takes it: 9 entries wait",
        ],
    );
    assert!(!brief.contains("DAMAGED"), "{brief}");
    let long = show(folder.path(), true).unwrap();
    assert_eq!(long.matches("at byte 48: ").count(), 3, "{long}");
    assert_eq!(state(&folder), before);
    drop(journal);
}

#[tokio::test]
async fn damage_is_shown_with_its_place() {
    let folder = TempDir::new().unwrap();
    three_segments(&folder).await;
    let path = segment_path(&folder, 1);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, flip(&whole, whole.len() - 1, 0)).unwrap();
    let before = state(&folder);
    let text = show(folder.path(), false).unwrap();
    let damaged = format!("at byte 48: DAMAGED {} bytes", whole.len() - 48);
    assert_says(&text, &[&damaged, "a start refuses it", "3 in number"]);
    assert_eq!(state(&folder), before);
}

#[test]
fn a_folder_without_a_journal_is_left_without() {
    let folder = TempDir::new().unwrap();
    assert_says(&show(folder.path(), false).unwrap(), &["a new journal"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let missing = folder.path().join("missing");
    assert_says(&show(&missing, false).unwrap(), &["no journal"]);
    assert!(!missing.exists());
}

#[tokio::test]
async fn salvage_copies_what_is_whole_and_tells_the_rest() {
    let folder = TempDir::new().unwrap();
    let all = three_segments(&folder).await;
    let path = segment_path(&folder, 1);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, flip(&whole, whole.len() - 1, 0)).unwrap();
    std::fs::remove_file(manifest::path(folder.path())).unwrap();
    std::fs::remove_file(synced::path(folder.path())).unwrap();
    refusal(&folder);
    let before = state(&folder);
    let to = TempDir::new().unwrap();
    let copy = to.path().join("copy");
    let text = salvage(folder.path(), &copy, A_SEGMENT_A_FRAME).unwrap();
    let place = format!("{} at byte 48", path.display());
    let missing = format!(
        "3 entries after version {} up to version {} are missing",
        all[2].version,
        all[6].version.just_before()
    );
    assert_says(&text, &["6 entries and 1 dead letters", &place, &missing]);
    assert_eq!(state(&folder), before);
    for _ in 0..2 {
        let journal = FileJournal::open(&copy, JournalSync::Fsync, ONE_SEGMENT).unwrap();
        assert_eq!(waiting(&journal).await, [&all[..3], &all[6..]].concat());
        assert_eq!(journal.dead_letters(9).await.unwrap().len(), 1);
    }
    let again = salvage(folder.path(), &copy, ONE_SEGMENT).unwrap_err();
    assert!(again.to_string().contains("there already"), "{again}");
}

#[tokio::test]
async fn salvage_tells_what_was_cut_off_at_the_end() {
    let folder = TempDir::new().unwrap();
    let all = three_segments(&folder).await;
    std::fs::remove_file(segment_path(&folder, 2)).unwrap();
    let to = TempDir::new().unwrap();
    let copy = to.path().join("copy");
    let text = salvage(folder.path(), &copy, ONE_SEGMENT).unwrap();
    let missing = format!(
        "3 entries after version {} up to version {} are missing",
        all[5].version, all[8].version
    );
    assert_says(&text, &[&missing]);
}

/// Exchanged segments and a batch in two of them cost nothing.
#[tokio::test]
async fn salvage_goes_by_versions() {
    let folder = TempDir::new().unwrap();
    let journal = open_with(&folder, JournalSync::Fsync, A_SEGMENT_A_FRAME);
    let mut all = append(&journal, "first").await;
    let broken = fault_point::arm(folder.path(), "journal.sync=fail:5@2");
    all.extend(append(&journal, "second").await);
    all.extend(append(&journal, "third").await);
    drop(broken);
    drop(journal);
    let aside = folder.path().join("aside");
    let [one, other] = [0, 1].map(|number| segment_path(&folder, number));
    std::fs::rename(&one, &aside).unwrap();
    std::fs::rename(&other, &one).unwrap();
    std::fs::rename(&aside, &other).unwrap();
    refusal(&folder);
    let to = TempDir::new().unwrap();
    let copy = to.path().join("copy");
    let text = salvage(folder.path(), &copy, ONE_SEGMENT).unwrap();
    assert_says(&text, &["9 entries", "nothing was left out"]);
    let journal = FileJournal::open(&copy, JournalSync::Os, ONE_SEGMENT).unwrap();
    assert_eq!(waiting(&journal).await, all);
}

#[tokio::test]
async fn an_open_journal_is_not_salvaged() {
    let folder = TempDir::new().unwrap();
    let journal = open(&folder, ONE_SEGMENT);
    let to = TempDir::new().unwrap();
    let refused = salvage(folder.path(), &to.path().join("copy"), ONE_SEGMENT).unwrap_err();
    assert!(refused.to_string().contains("stop it first"), "{refused}");
    drop(journal);
}
