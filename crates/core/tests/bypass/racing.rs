//! Writers and readers at both processes, while one of them is cut off and comes
//! back: no read is older than a write that was answered, or a read that ended,
//! before it began.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use cache_core::engine::{Engine, Outcome};
use cache_core::model::record::{Key, Write};
use cache_core::model::source::Source;
use cache_core::model::version::Version;

use crate::processes::{eventually, put, two};

const TASKS: u64 = 6;
const NAMES: u64 = 3;

/// The newest version of each name that a client was answered with.
#[derive(Default)]
struct Seen {
    newest: Mutex<HashMap<Key, Version>>,
    by_cache: AtomicU64,
    past_it: AtomicU64,
    written: AtomicU64,
}

impl Seen {
    fn floor(&self, key: &Key) -> Version {
        let newest = self.newest.lock().unwrap();
        newest.get(key).copied().unwrap_or_default()
    }

    fn raise(&self, key: &Key, version: Version) {
        let mut seen = self.newest.lock().unwrap();
        let newest = seen.entry(key.clone()).or_default();
        *newest = version.max(*newest);
    }
}

async fn work(engine: Arc<dyn Engine>, seen: Arc<Seen>, ends: Arc<AtomicBool>, task: u64) {
    let mut rng = fastrand::Rng::with_seed(task);
    while !ends.load(Ordering::Relaxed) {
        let name = format!("racer {}", rng.u64(0..NAMES));
        let key = Key::from(name.as_str());
        let floor = seen.floor(&key);
        let write = match rng.u8(0..8) {
            0 => put(&name, rng.u8(0..150)),
            1 => Write::delete(key.clone()),
            _ => {
                let read = engine.read(&key).await.unwrap();
                let (found, source) = (read.record.version, read.source);
                assert!(found >= floor, "read {found} after {floor} ({source:?})");
                seen.raise(&key, found);
                let count = match source {
                    Source::Bypass => &seen.past_it,
                    _ => &seen.by_cache,
                };
                count.fetch_add(1, Ordering::Relaxed);
                continue;
            }
        };
        if let Outcome::Written { version, .. } = engine.write(write).await.unwrap() {
            assert!(version > floor, "issued {version} after {floor}");
            seen.raise(&key, version);
            seen.written.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Waits until so many more of them.
async fn more_of(count: &AtomicU64, more: u64) {
    let enough = count.load(Ordering::Relaxed) + more;
    eventually(|| count.load(Ordering::Relaxed) >= enough).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn nothing_stale_is_read_and_no_write_fails() {
    let (_database, processes) = two().await;
    let [cut_off, other] = &processes;
    let (seen, ends) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let tasks = (0..TASKS).map(|task| {
        let engine = processes[task as usize % 2].engine.clone();
        tokio::spawn(work(engine, seen.clone(), ends.clone(), task))
    });
    let tasks: Vec<_> = tasks.collect();
    let mut epoch = 0;
    // Connections that end, then answers that do not come.
    for holds in [false, true] {
        more_of(&seen.by_cache, 200).await;
        more_of(&seen.written, 50).await;
        match holds {
            true => cut_off.proxy.hold(),
            false => cut_off.proxy.cut(),
        }
        eventually(|| cut_off.bypasses() && other.bypasses()).await;
        more_of(&seen.past_it, 200).await;
        more_of(&seen.written, 50).await;
        match holds {
            true => cut_off.proxy.release(),
            false => cut_off.proxy.restore(),
        }
        epoch += 2;
        let back = || {
            processes
                .iter()
                .all(|process| process.trusts_in() == Some(epoch))
        };
        eventually(back).await;
    }
    more_of(&seen.by_cache, 200).await;
    more_of(&seen.written, 50).await;
    ends.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
}
