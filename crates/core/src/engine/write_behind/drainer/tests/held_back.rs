//! Retrying what is held back.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::{FakeJournal, FakeStore, MINUTE, cache, name, version};
use crate::engine::write_behind::drainer::held_back::HeldBack;
use crate::engine::write_behind::replayer::Replayer;
use crate::journal::Journal;
use crate::lease::Sole;
use crate::model::dead_letter::{DeadLetter, HeldBackPage};
use crate::model::record::{Key, Record};
use crate::model::shard::{Shard, ShardStats};
use crate::outage::back_off::Recovery;
use crate::store::Origin;
use crate::timing;

impl FakeJournal {
    pub(super) fn letter(&self, key: &Key) -> Option<DeadLetter> {
        let letters = self.letters();
        let mut letters = letters.iter();
        letters.find(|letter| letter.record.key == *key).cloned()
    }

    pub(super) fn forget(&self, key: &Key) -> bool {
        let mut letters = self.letters();
        let before = letters.len();
        letters.retain(|letter| letter.record.key != *key);
        letters.len() < before
    }

    pub(super) fn page_of(&self, shard: Shard) -> HeldBackPage {
        let letters = self.letters();
        let letters = letters
            .iter()
            .filter(|letter| self.is_of(shard, &letter.record));
        HeldBackPage {
            letters: letters.cloned().collect(),
            next: None,
        }
    }

    /// Of the shards with letters.
    pub(super) fn stats_of_letters(&self) -> Vec<ShardStats> {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "told to");
        let shards = (0..self.shards()).map(Shard);
        let stats = shards.map(|shard| ShardStats {
            shard,
            depth: 0,
            bytes: 0,
            oldest: None,
            oldest_held: None,
            newest: None,
            oldest_age_us: 0,
            drained: 0,
            dead: 0,
            held_back: self.page_of(shard).letters.len() as u64,
            held_back_bytes: 0,
        });
        stats.filter(|stats| stats.held_back > 0).collect()
    }

    fn letters(&self) -> std::sync::MutexGuard<'_, Vec<DeadLetter>> {
        self.held_back
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

const SHARDS: u16 = 3;

fn letter(number: usize) -> DeadLetter {
    DeadLetter {
        record: Record {
            key: name(number),
            version: version(number),
            body: None,
        },
        reason: "told to".into(),
        set_aside_at: version(number),
        held_back: true,
    }
}

struct Place {
    journal: Arc<FakeJournal>,
    store: Arc<FakeStore>,
    held_back: HeldBack,
}

impl Place {
    /// With letters of these numbers.
    fn new(letters: &[usize]) -> Place {
        let journal = Arc::new(FakeJournal::waiting_with(SHARDS - 1, 0));
        journal
            .letters()
            .extend(letters.iter().map(|number| letter(*number)));
        let store = Arc::new(FakeStore::default());
        let held_back = HeldBack {
            replayer: Replayer {
                cache: cache(),
                journal: journal.clone(),
                store: store.clone(),
            },
            leases: Arc::new(Sole::new(SHARDS)),
            dead_letters_max: 1,
            room: Arc::new(Notify::new()),
            recovery: Recovery::default(),
        };
        Place {
            journal,
            store,
            held_back,
        }
    }

    fn left(&self) -> Vec<u64> {
        let letters = self.journal.letters();
        let versions = letters.iter().map(|letter| letter.record.version.get());
        versions.collect()
    }
}

#[tokio::test]
async fn an_error_in_one_shard_does_not_keep_the_others_waiting() {
    let place = Place::new(&[1, 2, 3, 4, 5]);
    // Of the first shard.
    place.store.fails.lock().unwrap().insert(name(3));
    let mut places = vec![None; usize::from(SHARDS)];
    place.held_back.look(&mut places).await.unwrap_err();
    assert_eq!(place.left(), [3]);
    place.store.fails.lock().unwrap().clear();
    assert!(place.held_back.look(&mut places).await.unwrap());
    assert_eq!(place.left(), [0; 0]);
}

#[tokio::test]
async fn a_letter_that_has_ended_since_it_was_read_is_not_applied() {
    let place = Place::new(&[1]);
    let both = vec![letter(1), letter(2)];
    let replayed = place.held_back.replayer.replay(both, Origin::Drained).await;
    assert_eq!(replayed.outcomes.len(), 1);
    let rows = place.store.rows.lock().unwrap();
    assert_eq!(rows.keys().collect::<Vec<_>>(), [&name(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_does_not_end_it() {
    let place = Place::new(&[1]);
    place.journal.panics.store(true, Ordering::SeqCst);
    let retrying = place.held_back.clone().run();
    let _retrying = AbortOnDropHandle::new(tokio::spawn(retrying));
    tokio::time::sleep(MINUTE).await;
    assert!(!place.journal.panics.load(Ordering::SeqCst));
    assert_eq!(place.left(), [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_recovery_ends_a_long_pause() {
    let place = Place::new(&[1]);
    place.store.fails.lock().unwrap().insert(name(1));
    let retrying = place.held_back.clone().run();
    let _retrying = AbortOnDropHandle::new(tokio::spawn(retrying));
    tokio::time::sleep(MINUTE).await;
    assert_eq!(place.left(), [1]);
    place.store.fails.lock().unwrap().clear();
    place.held_back.recovery.announce();
    tokio::time::sleep(2 * timing::HELD_BACK_BACKOFF_MIN).await;
    assert_eq!(place.left(), [0; 0]);
}
