//! Damage at random places: a start either refuses, or every acknowledged record
//! is there.

use fastrand::Rng;

use super::*;

/// Replays one run.
const SEED: &str = "DAMAGE_SEED";
const JOURNALS: usize = 10;
const VARIANTS_OF_EACH: usize = 44;

#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip,
    Cut,
    Zero,
    Delete,
    Empty,
    RemoveFrame,
    RemoveLastFrames,
    DuplicateFrame,
    SwapFrames,
    ExchangeSegments,
    RestoreOlder,
}

const KINDS: [Damage; 11] = [
    Damage::Flip,
    Damage::Cut,
    Damage::Zero,
    Damage::Delete,
    Damage::Empty,
    Damage::RemoveFrame,
    Damage::RemoveLastFrames,
    Damage::DuplicateFrame,
    Damage::SwapFrames,
    Damage::ExchangeSegments,
    Damage::RestoreOlder,
];

/// A closed journal, and what it has to hold.
struct Built {
    folder: TempDir,
    waiting: Vec<Record>,
    /// What was ever appended.
    written: Vec<Record>,
    letters: usize,
    /// Earlier states of segments.
    older: Vec<(PathBuf, Vec<u8>)>,
}

async fn build(rng: &mut Rng) -> Built {
    let folder = TempDir::new().unwrap();
    let mut built = Built {
        waiting: Vec::new(),
        written: Vec::new(),
        letters: 0,
        older: Vec::new(),
        folder,
    };
    let segment_bytes = rng.u64(1..600);
    let mut journal = open(&built.folder, segment_bytes);
    for batch in 0..rng.usize(3..16) {
        let body = "x".repeat(rng.usize(1..60));
        let appended = append(&journal, &body).await;
        built.written.extend(appended.iter().cloned());
        built.waiting.extend(appended);
        let segment = segment_path(&built.folder, *segments(&built.folder).last().unwrap());
        built
            .older
            .push((segment.clone(), std::fs::read(segment).unwrap()));
        match rng.u8(..) {
            0..40 => {
                drop(journal);
                journal = open(&built.folder, segment_bytes);
            }
            40..80 => {
                let drained = rng.usize(0..built.waiting.len());
                let last = built.waiting.drain(..=drained).next_back().unwrap();
                acknowledge(&journal, &last).await;
            }
            80..100 => {
                let record = built.waiting.last().unwrap().clone();
                let letter = DeadLetter {
                    set_aside_at: record.version,
                    held_back: false,
                    record: Record {
                        key: Key::from(format!("refused {batch}").as_str()),
                        ..record
                    },
                    reason: "why".into(),
                };
                journal.set_aside(SHARD, &letter).await.unwrap();
                built.letters += 1;
            }
            _ => {}
        }
    }
    built
}

/// Every file that damage may hit. `LOCK` and `owner` hold no writes.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push(path),
        }
    }
    files.retain(|path| !path.ends_with("LOCK"));
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => {
                std::fs::create_dir(&to).unwrap();
                copy(&entry.path(), &to);
            }
            false => {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
}

/// Damages a copy in `folder`. Returns what was done, or nothing where that kind
/// of damage is not possible.
fn damage(kind: Damage, built: &Built, folder: &TempDir, rng: &mut Rng) -> Option<String> {
    let path = match kind {
        Damage::Flip | Damage::Cut | Damage::Zero | Damage::Delete | Damage::Empty => {
            rng.choice(files(folder.path()))?
        }
        _ => segment_path(folder, rng.choice(segments(folder))?),
    };
    let bytes = std::fs::read(&path).unwrap();
    let damaged = match kind {
        Damage::Delete => {
            std::fs::remove_file(&path).unwrap();
            return Some(format!("{kind:?} {}", path.display()));
        }
        Damage::Empty => Vec::new(),
        Damage::Flip => flip(&bytes, rng.choice(0..bytes.len())?, rng.u32(0..8)),
        Damage::Cut => bytes[..rng.choice(0..bytes.len())?].to_vec(),
        Damage::Zero => {
            let from = rng.choice(0..bytes.len())?;
            let mut zeroed = bytes.clone();
            zeroed[from..rng.usize(from..=bytes.len())].fill(0);
            zeroed
        }
        Damage::ExchangeSegments => {
            let other = segment_path(folder, rng.choice(segments(folder))?);
            std::fs::copy(&other, &path).unwrap();
            std::fs::write(&other, bytes).unwrap();
            return Some(format!("{kind:?} {} {}", path.display(), other.display()));
        }
        Damage::RestoreOlder => {
            let (older, bytes) = rng.choice(&built.older)?;
            let path = folder.path().join(older.file_name().unwrap());
            std::fs::write(&path, bytes).unwrap();
            return Some(format!(
                "{kind:?} {}: {} bytes",
                path.display(),
                bytes.len()
            ));
        }
        _ => reframed(kind, &bytes, &frames(&path), rng)?,
    };
    std::fs::write(&path, &damaged).unwrap();
    Some(format!("{kind:?} {}", path.display()))
}

/// The bytes of a segment with its frames changed.
fn reframed(kind: Damage, bytes: &[u8], frames: &[Range<usize>], rng: &mut Rng) -> Option<Vec<u8>> {
    let place = rng.choice(0..frames.len())?;
    let mut order: Vec<usize> = (0..frames.len()).collect();
    match kind {
        Damage::RemoveFrame => {
            order.remove(place);
        }
        Damage::RemoveLastFrames => order.truncate(place),
        Damage::DuplicateFrame => order.insert(rng.usize(0..=frames.len()), place),
        _ => order.swap(place, rng.usize(0..frames.len())),
    }
    let header = bytes[..forms::HEADER_BYTES as usize].to_vec();
    let frames = order.into_iter().map(|frame| &bytes[frames[frame].clone()]);
    Some(frames.fold(header, |all, frame| [&all, frame].concat()))
}

/// Whether the start was refused. If it was not, everything that has to be there
/// must be there.
async fn refuses_or_has_all(folder: &TempDir, built: &Built, what: &str) -> bool {
    let journal = match FileJournal::open(folder.path(), JournalSync::Os, ONE_SEGMENT) {
        Ok(journal) => journal,
        Err(_) => return true,
    };
    let found = journal.read(SHARD, Version::ZERO, 1_000).await.unwrap();
    for record in &built.waiting {
        assert!(found.contains(record), "{what}: {record:?} is not there");
    }
    let letters = journal.dead_letters(1_000).await.unwrap();
    assert_eq!(letters.len(), built.letters, "{what}");
    false
}

/// A salvaged journal holds nothing that was never written.
async fn a_salvaged_copy_starts(folder: &TempDir, built: &Built, what: &str) {
    show(folder.path(), true).expect(what);
    let to = folder.path().join("salvaged");
    salvage(folder.path(), &to, ONE_SEGMENT).expect(what);
    let journal = FileJournal::open(&to, JournalSync::Os, ONE_SEGMENT).expect(what);
    for record in journal.read(SHARD, Version::ZERO, 1_000).await.expect(what) {
        assert!(built.written.contains(&record), "{what}: {record:?}");
    }
}

#[tokio::test]
async fn random_damage_is_refused_or_loses_nothing() {
    let seed = std::env::var(SEED).map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("{SEED}={seed}");
    let mut rng = Rng::with_seed(seed);
    let (mut refused, mut started) = (0, 0);
    for number in 0..JOURNALS {
        let built = build(&mut rng).await;
        let whole = TempDir::new().unwrap();
        copy(built.folder.path(), whole.path());
        assert!(!refuses_or_has_all(&whole, &built, "undamaged").await);
        for variant in 0..VARIANTS_OF_EACH {
            let kind = KINDS[variant % KINDS.len()];
            let folder = TempDir::new().unwrap();
            copy(built.folder.path(), folder.path());
            let Some(what) = damage(kind, &built, &folder, &mut rng) else {
                continue;
            };
            let what = format!("{SEED}={seed}, journal {number}: {what}");
            match refuses_or_has_all(&folder, &built, &what).await {
                true => {
                    refused += 1;
                    a_salvaged_copy_starts(&folder, &built, &what).await;
                }
                false => started += 1,
            }
        }
    }
    println!("{refused} refused, {started} started with all that was acknowledged");
    assert!(refused > 0 && started > 0);
}
