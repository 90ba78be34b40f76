//! Two writes of one name that are under way at the same time, as those of two processes are:
//! in every order in which they can be committed and answered, with outcomes that are unknown,
//! and with conditions.

use std::sync::Arc;
use std::time::Duration;

use cache_core::bypass::Access;
use cache_core::engine::write_through::WriteThrough;
use cache_core::engine::{Engine, Outcome};
use cache_core::error::Result;
use cache_core::model::record::{Condition, Key, Write};
use cache_core::model::source::Source;
use cache_core::model::version::Version;
use cache_core::store::Store;
use tokio::task::JoinHandle;

use crate::parts::{Parts, Place, WRITE_THROUGH, body, in_each_place, put};
use crate::stepped_store::{Ends, SteppedStore};

/// The writers commit and are answered in these orders. The one that is named for the first
/// time commits.
const ORDERS: [[usize; 4]; 6] = [
    [0, 0, 1, 1],
    [0, 1, 0, 1],
    [0, 1, 1, 0],
    [1, 0, 0, 1],
    [1, 0, 1, 0],
    [1, 1, 0, 0],
];

/// What a writer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain(Ends),
    /// Only if the name is still at the version that it had before.
    Conditional,
}

const KINDS: [Kind; 4] = [
    Kind::Plain(Ends::Well),
    Kind::Plain(Ends::Lost),
    Kind::Plain(Ends::Unanswered),
    Kind::Conditional,
];

/// A process with one write.
struct Writer {
    kind: Kind,
    store: Arc<SteppedStore>,
    write: JoinHandle<Result<Outcome>>,
}

impl Writer {
    /// Returns when the write has begun and is about to be committed.
    async fn begin(parts: &Parts, kind: Kind, name: &str, age: u8, before: Version) -> Writer {
        let ends = match kind {
            Kind::Plain(ends) => ends,
            Kind::Conditional => Ends::Well,
        };
        let store = SteppedStore::new(parts.store.clone(), ends);
        let engine = engine(parts, store.clone()).await;
        let condition = match kind {
            Kind::Plain(_) => Condition::Always,
            Kind::Conditional => Condition::Is(vec![before].into()),
        };
        let write = Write {
            condition,
            ..put(name, age)
        };
        let write = tokio::spawn(async move { engine.write(write).await });
        let writer = Writer { kind, store, write };
        writer.until(|writer| writer.store.begun() > 0).await;
        writer
    }

    /// Returns when the write is answered, or is retried.
    async fn answer(&self) {
        self.store.answer();
        self.until(|writer| writer.write.is_finished() || writer.store.begun() > 1)
            .await;
    }

    async fn until(&self, holds: impl Fn(&Writer) -> bool) {
        let holds = async {
            while !holds(self) {
                tokio::task::yield_now().await;
            }
        };
        let holds = tokio::time::timeout(Duration::from_secs(30), holds);
        holds.await.unwrap();
    }

    /// The version that was written, if it was.
    async fn end(self) -> Option<Version> {
        self.store.open();
        match (self.write.await.unwrap(), self.kind) {
            (Ok(Outcome::Written { version, .. }), _) => Some(version),
            (Ok(Outcome::ConditionFailed), Kind::Conditional)
            | (Err(_), Kind::Plain(Ends::Lost | Ends::Unanswered)) => None,
            (other, kind) => panic!("{kind:?}: {other:?}"),
        }
    }
}

async fn engine(parts: &Parts, store: Arc<dyn Store>) -> Arc<WriteThrough> {
    WriteThrough::start(parts.cache.clone(), store, Access::always(), WRITE_THROUGH)
        .await
        .unwrap()
}

/// Reads, and checks that nothing older is read than before.
async fn read(reader: &WriteThrough, name: &str, floor: &mut Version, case: &str) -> Source {
    let read = reader.read(&Key::from(name)).await.unwrap();
    let version = read.record.version;
    assert!(version >= *floor, "{case}: {version} after {floor}");
    *floor = version;
    read.source
}

async fn two_writes_under_way(place: Place) {
    let parts = place.open().await;
    let reader = engine(&parts, parts.store.clone()).await;
    let kinds = KINDS
        .iter()
        .flat_map(|one| KINDS.iter().map(move |other| [*one, *other]));
    for (number, kinds) in kinds.enumerate() {
        for order in ORDERS {
            let case = format!("{kinds:?} in the order {order:?}");
            let name = format!("name {number} {order:?}");
            race(&parts, &reader, &name, kinds, order, &case).await;
        }
    }
}

async fn race(
    parts: &Parts,
    reader: &WriteThrough,
    name: &str,
    kinds: [Kind; 2],
    order: [usize; 4],
    case: &str,
) {
    let Outcome::Written { version, .. } = reader.write(put(name, 1)).await.unwrap() else {
        panic!("{case}: not written");
    };
    let mut floor = version;
    let writers = [
        Writer::begin(parts, kinds[0], name, 2, version).await,
        Writer::begin(parts, kinds[1], name, 3, version).await,
    ];
    let mut committed = [false; 2];
    for writer in order {
        match std::mem::replace(&mut committed[writer], true) {
            false => writers[writer].store.commit().await,
            true => writers[writer].answer().await,
        }
        read(reader, name, &mut floor, case).await;
    }
    let mut written = Vec::new();
    for (writer, age) in writers.into_iter().zip([2, 3]) {
        let kind = writer.kind;
        if let Some(version) = writer.end().await {
            written.push((version, kind, age));
            floor = floor.max(version);
        }
        read(reader, name, &mut floor, case).await;
    }
    judge(&written, case);
    let source = read(reader, name, &mut floor, case).await;
    let unknown = |kind: &Kind| matches!(kind, Kind::Plain(Ends::Lost | Ends::Unanswered));
    if !kinds.iter().any(unknown) {
        assert_eq!(source, Source::Hit, "{case}: the doubt is over");
    }
    // What the cache says is what the database says.
    let stored = parts.store.load(&Key::from(name)).await.unwrap().unwrap();
    let found = reader.read(&Key::from(name)).await.unwrap().record;
    assert_eq!(found, stored, "{case}");
    if let Some((version, _, age)) = written.iter().max_by_key(|(version, ..)| *version)
        && *version == stored.version
    {
        assert_eq!(stored.body, Some(body(name, *age)), "{case}");
    }
}

/// A conditional write that took place came before every other that did.
fn judge(written: &[(Version, Kind, u8)], case: &str) {
    let conditional = |(_, kind, _): &&(Version, Kind, u8)| *kind == Kind::Conditional;
    let conditional: Vec<_> = written.iter().filter(conditional).collect();
    assert!(conditional.len() <= 1, "{case}: both conditions held");
    if let Some((first, ..)) = conditional.first() {
        let is_first = |(version, ..): &(Version, Kind, u8)| version >= first;
        assert!(written.iter().all(is_first), "{case}: {written:?}");
    }
}

in_each_place! {
    two_writes_under_way
}
