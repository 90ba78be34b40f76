//! Lines that are written together, and the answers to them.

use std::io::Write as _;

use actix_web::ResponseError as _;
use actix_web::http::StatusCode;
use bytes::Bytes;
use cache_core::engine::{Durability, Engine};
use cache_core::error::Error;
use cache_core::model::record::{Key, Write};
use cache_core::model::version::Version;
use cache_core::outage::Outages;
use futures_util::{StreamExt as _, future, stream};
use metrics::counter;

use crate::durability::{RequestedDurability, written};
use crate::problem::Problem;
use crate::retry_after::seconds_of;

/// Most lines of a chunk.
const CHUNK_LINES_MAX: usize = 512;
/// So many bytes make a chunk full.
const CHUNK_BYTES_FULL: usize = 64 * 1024;
/// Deletes of a chunk that are under way at the same time: each may read the database.
const DELETES_AT_ONCE: usize = 64;
/// Bytes that a line takes beside those of its write.
const LINE_OVERHEAD_BYTES: usize = 128;
/// Bytes of the answer to a line that was written.
const WRITTEN_BYTES: usize = 64;

/// What a line asks for.
#[derive(Debug)]
enum Entry {
    /// Nothing that can be done: the answer.
    Refused(StatusCode, Vec<u8>),
    /// The next of the values.
    Put(u64),
    /// The next of the deletes.
    Delete(u64),
}

/// Lines, in their order.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    entries: Vec<Entry>,
    values: Vec<(Key, Bytes)>,
    deletes: Vec<Key>,
    bytes: usize,
}

type Written = Result<(Version, Durability), Problem>;

impl Chunk {
    pub(crate) fn refuse(&mut self, number: u64, problem: &Problem, outages: &Outages) {
        let answer = problem.line(number, seconds_of(outages));
        self.bytes += answer.len() + LINE_OVERHEAD_BYTES;
        let status = problem.status_code();
        self.entries.push(Entry::Refused(status, answer));
    }

    pub(crate) fn put(&mut self, number: u64, key: Key, body: Bytes) {
        self.bytes += key.as_str().len() + body.len() + LINE_OVERHEAD_BYTES;
        self.values.push((key, body));
        self.entries.push(Entry::Put(number));
    }

    pub(crate) fn delete(&mut self, number: u64, key: Key) {
        self.bytes += key.as_str().len() + LINE_OVERHEAD_BYTES;
        self.deletes.push(key);
        self.entries.push(Entry::Delete(number));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn is_full(&self, lines_max: usize) -> bool {
        self.entries.len() >= CHUNK_LINES_MAX.min(lines_max) || self.bytes >= CHUNK_BYTES_FULL
    }

    pub(crate) fn lines(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes all lines, and returns the answers. The values are submitted at the first poll.
    pub(crate) async fn write(
        self,
        engine: &dyn Engine,
        outages: &Outages,
        wanted: RequestedDurability,
    ) -> Vec<u8> {
        let keys = self.values.iter().map(|(key, _)| key);
        // In the order of the outcomes.
        let keys: Vec<Key> = match wanted.persisted_within() {
            Some(_) => keys.chain(&self.deletes).cloned().collect(),
            None => Vec::new(),
        };
        let deletes = stream::iter(self.deletes)
            .map(|key| engine.write(Write::delete(key)))
            .buffered(DELETES_AT_ONCE);
        let values = self.values.len();
        let puts = engine.put_many(self.values);
        let (put, deleted) = future::join(puts, deletes.collect::<Vec<_>>()).await;
        let outcomes = put.into_iter().chain(deleted);
        let mut outcomes: Vec<Written> = outcomes.map(written).collect();
        persist(engine, wanted, &keys, &mut outcomes).await;
        let deleted = outcomes.split_off(values.min(outcomes.len()));
        answers(&self.entries, outcomes, deleted, outages)
    }
}

/// Waits until those that were journaled are in the database, if that is wanted.
async fn persist(
    engine: &dyn Engine,
    wanted: RequestedDurability,
    keys: &[Key],
    outcomes: &mut [Written],
) {
    let Some(within) = wanted.persisted_within() else {
        return;
    };
    let (mut waiting, mut places) = (Vec::new(), Vec::new());
    for (place, (key, outcome)) in keys.iter().zip(outcomes.iter_mut()).enumerate() {
        if let Ok((version, Durability::Journaled)) = outcome {
            waiting.push((key.clone(), *version));
            places.push(place);
        }
    }
    if waiting.is_empty() {
        return;
    }
    let persisted = engine.persisted_many(&waiting, within).await;
    for (place, persisted) in places.into_iter().zip(persisted) {
        if let (Err(error), Some(outcome)) = (persisted, outcomes.get_mut(place)) {
            *outcome = Err(Problem::of_acknowledged(&error));
        }
    }
}

fn answers(
    entries: &[Entry],
    put: Vec<Written>,
    deleted: Vec<Written>,
    outages: &Outages,
) -> Vec<u8> {
    let mut text = Vec::with_capacity(entries.len() * WRITTEN_BYTES);
    let mut counts = Counts::default();
    let (mut put, mut deleted) = (put.into_iter(), deleted.into_iter());
    for entry in entries {
        let (kind, number, outcome, status) = match entry {
            Entry::Refused(status, answer) => {
                text.extend_from_slice(answer);
                counts.add("none", *status);
                continue;
            }
            Entry::Put(number) => ("put", number, put.next(), StatusCode::OK),
            Entry::Delete(number) => ("delete", number, deleted.next(), StatusCode::NO_CONTENT),
        };
        let outcome = outcome.unwrap_or_else(|| Err(Problem::of_write(&Error::Panicked)));
        match outcome {
            Ok((version, _)) => {
                counts.add(kind, status);
                let status = status.as_u16();
                // Into memory: this cannot fail.
                let _ = writeln!(
                    text,
                    r#"{{"line":{number},"status":{status},"version":{version}}}"#
                );
            }
            Err(problem) => {
                counts.add(kind, problem.status_code());
                text.append(&mut problem.line(*number, seconds_of(outages)));
            }
        }
    }
    counts.publish();
    text
}

/// Has the series there from the start.
pub(crate) fn started() {
    let written = [("put", StatusCode::OK), ("delete", StatusCode::NO_CONTENT)];
    Counts(written.map(|series| (series, 0)).into()).publish();
}

/// Lines by kind and status: there are few of them in a chunk.
#[derive(Default)]
struct Counts(Vec<((&'static str, StatusCode), u64)>);

impl Counts {
    fn add(&mut self, kind: &'static str, status: StatusCode) {
        match self.0.iter_mut().find(|(of, _)| *of == (kind, status)) {
            Some((_, count)) => *count += 1,
            None => self.0.push(((kind, status), 1)),
        }
    }

    fn publish(self) {
        for ((kind, status), count) in self.0 {
            counter!("write_cache_batch_lines_total", "kind" => kind, "status" => status.as_str().to_owned())
                .increment(count);
        }
    }
}
