//! Loads of calls that read many keys: they go to the database together.
//!
//! Each key keeps its own ticket and flight, as if it were read alone. A load joins a batch that
//! has not begun, so its rows are read after its ticket was taken.

use std::sync::Arc;

use async_trait::async_trait;

use crate::concurrency::group_commit::{Commit, GroupCommit, GroupCommitBounds, Runs};
use crate::error::{Error, Result};
use crate::model::record::{Key, Record};
use crate::store::Store;

/// A batch is one statement, and takes all keys of a call. More that wait are loaded alone.
const BOUNDS: GroupCommitBounds = GroupCommitBounds {
    batch_max: 1_024,
    waiting_max: 65_536,
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
        let batch = Arc::new(Batch(store.clone()));
        let (gathered, _) = GroupCommit::start("loads", BOUNDS, Runs::OnWorkers, batch);
        Loads {
            store,
            gathered: Arc::new(gathered),
            is_gathering: false,
        }
    }

    /// The same, but loads together what is loaded at the same time.
    pub(super) fn gathering(&self) -> Loads {
        Loads {
            is_gathering: true,
            ..self.clone()
        }
    }

    /// The record of `key` that the database has.
    pub(super) async fn load(&self, key: &Key) -> Result<Option<Record>> {
        if self.is_gathering {
            match self.gathered.submit(key.clone()).await {
                Err(Error::Overloaded) => {}
                loaded => return loaded,
            }
        }
        self.store.load(key).await
    }
}

/// Loads a batch.
struct Batch(Arc<dyn Store>);

#[async_trait]
impl Commit for Batch {
    type Request = Key;
    type Answer = Option<Record>;

    async fn commit(&self, keys: Vec<Key>) -> Vec<Result<Option<Record>>> {
        let Batch(store) = self;
        let loaded = store.load_many(&keys).await;
        // A key may be there twice: in a reload, say.
        let of = |key| match &loaded {
            Ok(loaded) => loaded.get(key).cloned().transpose(),
            Err(error) => Err(error.clone()),
        };
        keys.iter().map(of).collect()
    }
}
