//! Loads for calls that read many keys: the keys go to the database together.
//!
//! Each key keeps its own ticket and flight, as if it were read alone. A load joins a batch that
//! has not begun, so the row is read after the key's ticket was taken.

use std::sync::{Arc, Weak};

use async_trait::async_trait;

use crate::concurrency::group_commit::{Commit, GroupCommit, GroupCommitBounds, Runs};
use crate::error::{Error, Result};
use crate::model::record::{Key, Record};
use crate::store::{Loaded, Store};

/// A batch is one statement. From 1,000 names on, MariaDB would turn the list of names into a table
/// (`in_predicate_conversion_threshold`). Keys beyond `waiting_max` are loaded alone.
const BOUNDS: GroupCommitBounds = GroupCommitBounds {
    batch_max: 999,
    waiting_max: 8_192,
};

/// Loads records from the database.
#[derive(Clone, Debug)]
pub(super) struct Loads {
    store: Arc<dyn Store>,
    gathered: Arc<GroupCommit<Batch>>,
    is_gathering: bool,
}

impl Loads {
    /// Loads each record by itself.
    pub(super) fn new(store: Arc<dyn Store>) -> Loads {
        let batch = Arc::new(Batch(Arc::downgrade(&store)));
        let (gathered, _) = GroupCommit::start("loads", BOUNDS, Runs::OnWorkers, batch);
        Loads {
            store,
            gathered: Arc::new(gathered),
            is_gathering: false,
        }
    }

    /// The same loads, but records that are wanted at the same time are loaded together.
    pub(super) fn gathering(&self) -> Loads {
        Loads {
            is_gathering: true,
            ..self.clone()
        }
    }

    /// The record of `key` in the database; `None` if there is none.
    pub(super) async fn load(&self, key: &Key) -> Result<Option<Record>> {
        if self.is_gathering {
            let caller = Arc::new(());
            let wanted = Wanted(key.clone(), Arc::downgrade(&caller));
            match self.gathered.submit(wanted).await {
                Err(Error::Overloaded) => {}
                loaded => return loaded,
            }
        }
        self.store.load(key).await
    }
}

/// A key, and whether its caller still waits.
struct Wanted(Key, Weak<()>);

/// Loads a batch. The store is not kept open by a queue in which nothing waits.
struct Batch(Weak<dyn Store>);

#[async_trait]
impl Commit for Batch {
    type Request = Wanted;
    type Answer = Option<Record>;

    async fn commit(&self, wanted: Vec<Wanted>) -> Vec<Result<Option<Record>>> {
        let Some(store) = self.0.upgrade() else {
            return wanted.iter().map(|_| Err(Error::Stopping)).collect();
        };
        let waits = |Wanted(_, caller): &&Wanted| caller.strong_count() > 0;
        let keys: Vec<Key> = wanted
            .iter()
            .filter(waits)
            .map(|Wanted(key, _)| key.clone())
            .collect();
        let loaded = match keys.is_empty() {
            true => Ok(Loaded::new()),
            false => store.load_many(&keys).await,
        };
        // A batch may have a key twice, for example in a reload.
        let of = |Wanted(key, _): &Wanted| match &loaded {
            Ok(loaded) => loaded.get(key).cloned().transpose(),
            Err(error) => Err(error.clone()),
        };
        wanted.iter().map(of).collect()
    }
}
