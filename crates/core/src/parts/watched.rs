//! The parts with their outages watched, and what follows from those in each service.

use std::sync::Arc;

use crate::cache::Cache;
use crate::journal::Journal;
use crate::outage::Consequences;
use crate::settings::{Service, Settings};
use crate::store::Store;
use crate::watched::{WatchedCache, WatchedJournal, WatchedStore};

use super::may_bypass;

pub(super) fn store(settings: &Settings, store: Arc<dyn Store>) -> WatchedStore {
    let consequences = match settings.service {
        Service::WriteBehind => Consequences {
            reads: "writes wait in the journal, which cannot drain, and reads of what is not cached are refused",
            writes: "writes wait in the journal, which cannot drain",
        },
        Service::WriteThrough => Consequences {
            reads: "writes are refused, and so are reads of what is not cached",
            writes: "writes are refused",
        },
    };
    WatchedStore::new(store, consequences)
}

pub(super) fn journal(journal: Arc<dyn Journal>) -> WatchedJournal {
    let consequences = Consequences {
        reads: "writes are refused",
        writes: "writes are refused",
    };
    WatchedJournal::new(journal, consequences)
}

pub(super) fn cache(settings: &Settings, cache: Arc<dyn Cache>) -> WatchedCache {
    let consequences = match (settings.service, may_bypass(settings)) {
        (_, true) => Consequences {
            reads: "the database is used alone",
            writes: "the database is used alone",
        },
        (Service::WriteThrough, false) => Consequences {
            reads: "reads and writes are refused",
            writes: "writes are refused",
        },
        (Service::WriteBehind, false) => Consequences {
            reads: "reads and writes are refused",
            writes: "reads go on, and writes are refused",
        },
    };
    WatchedCache::new(cache, consequences, may_bypass(settings))
}
