//! One stream of writes: reads lines, writes them in chunks, and answers them in their order.
//!
//! Chunks are under way at the same time, up to the window. A line of a name that is under way waits
//! where the engine does not keep the order of writes.

use std::collections::{HashSet, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::web::{Data, Payload};
use bytes::Bytes;
use cache_core::error::Error;
use cache_core::model::record::Key;
use futures_util::StreamExt as _;
use futures_util::future::MaybeDone;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::answers::Sender;
use super::change::Change;
use super::chunk::Chunk;
use super::lines::{Line, Lines};
use crate::body;
use crate::connection::REQUEST_TIMEOUT;
use crate::durability::RequestedDurability;
use crate::problem::Problem;
use crate::state::State;

/// How long a client may take to send one line, and so for a pause between lines. Waiting for the
/// service does not count.
pub(super) const LINE_TIMEOUT: Duration = REQUEST_TIMEOUT;
/// Most lines of one stream that are under way.
const WINDOW_LINES_MAX: usize = 4096;
/// So many bytes of lines that are under way fill the window.
const WINDOW_BYTES_FULL: usize = 1 << 20;

/// A chunk that is under way.
struct UnderWay {
    answers: Pin<Box<MaybeDone<ChunkFuture>>>,
    lines: usize,
    bytes: usize,
    held: Vec<Key>,
}

type ChunkFuture = Pin<Box<dyn Future<Output = Vec<u8>>>>;

/// Why the body is not read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is complete, or all that comes of it was read.
    Body,
    /// A line took too long.
    TimedOut,
    /// The service stops.
    Stopped,
}

/// See the module.
pub(super) struct Stream {
    state: Data<State>,
    wanted: RequestedDurability,
    sender: Sender,
    lines: Lines,
    /// Read, and held back by a write of its name.
    waits: Option<(u64, Change)>,
    chunk: Chunk,
    /// The names of `chunk` and those under way whose later lines wait.
    held: HashSet<Key>,
    chunk_held: Vec<Key>,
    under_way: VecDeque<UnderWay>,
    window_lines: usize,
    window_bytes: usize,
    end: Option<End>,
    /// When the line that is being read must have ended; none while nothing is read.
    due: Option<Instant>,
}

impl Stream {
    pub(super) fn new(state: Data<State>, wanted: RequestedDurability, sender: Sender) -> Stream {
        Stream {
            state,
            wanted,
            sender,
            lines: Lines::default(),
            waits: None,
            chunk: Chunk::default(),
            held: HashSet::new(),
            chunk_held: Vec::new(),
            under_way: VecDeque::new(),
            window_lines: 0,
            window_bytes: 0,
            end: None,
            due: None,
        }
    }

    /// Runs until all that was read is answered, or the client is gone. What was submitted is written
    /// all the same.
    pub(super) async fn run(mut self, first: Option<Bytes>, mut payload: Payload) {
        let mut stopping = self.state.streams.stopping();
        self.take(first.map(Ok));
        loop {
            self.fill().await;
            if self.under_way.is_empty() && self.end.is_some() && self.waits.is_none() {
                break;
            }
            // IMPORTANT: not while lines of the last piece are left.
            let is_held_up = self.waits.is_some() || self.chunk_is_full() || !self.has_room();
            let may_read = self.end.is_none() && !is_held_up;
            self.due = may_read.then(|| self.due.unwrap_or_else(|| Instant::now() + LINE_TIMEOUT));
            tokio::select! {
                biased;
                answers = next_answers(&mut self.under_way), if !self.under_way.is_empty() => {
                    self.finished();
                    if !self.sender.send(answers).await {
                        return;
                    }
                }
                () = self.sender.closed() => return,
                _ = stopping.wait_for(|is| *is), if self.end.is_none() => {
                    self.end = Some(End::Stopped);
                }
                piece = read(&mut payload, self.due), if may_read => match piece {
                    Some(piece) => self.take(piece),
                    None => self.end = Some(End::TimedOut),
                }
            }
        }
        if let Some(problem) = self.last_problem() {
            let number = self.lines.next_number();
            self.chunk.refuse(number, &problem, &self.state.outages);
            let chunk = std::mem::take(&mut self.chunk);
            let State {
                engine, outages, ..
            } = &**self.state;
            let answers = chunk.write(&**engine, outages, self.wanted).await;
            self.sender.send(answers).await;
        }
    }

    /// What is answered for the line that was not read to its end.
    fn last_problem(&self) -> Option<Problem> {
        match self.end? {
            End::Body => None,
            End::TimedOut => Some(body::timed_out()),
            End::Stopped => Some(Problem::of_write(&Error::Stopping)),
        }
    }

    /// Takes what was read of the body; `None` is its end.
    fn take(&mut self, piece: Option<Result<Bytes, PayloadError>>) {
        match piece {
            Some(Ok(piece)) => self.lines.feed(piece),
            None => {
                self.end = Some(End::Body);
                if let Some(line) = self.lines.last() {
                    self.add(line);
                }
            }
            Some(Err(_)) => {
                self.end = Some(End::Body);
                if self.lines.is_within_line() {
                    let number = self.lines.next_number();
                    let problem = body::cut_off().of_line(number);
                    self.chunk.refuse(number, &problem, &self.state.outages);
                }
            }
        }
    }

    fn has_room(&self) -> bool {
        self.window_lines + self.chunk.lines() < WINDOW_LINES_MAX.min(self.state.streams.lines_max)
            && self.window_bytes + self.chunk.bytes() < WINDOW_BYTES_FULL
    }

    /// Begins chunks of the lines that were read, as far as there is room.
    async fn fill(&mut self) {
        loop {
            if let Some((number, change)) = self.waits.take() {
                self.add_change(number, change);
            }
            while self.waits.is_none() && !self.chunk_is_full() && self.has_room() {
                let Some(line) = self.lines.next() else {
                    break;
                };
                self.due = None;
                self.add(line);
            }
            // What is not full gathers while others are under way.
            if self.chunk.is_empty() || !self.chunk_is_full() && !self.under_way.is_empty() {
                return;
            }
            if !self.begin().await {
                return;
            }
            // Others on this thread have their turn.
            tokio::task::yield_now().await;
        }
    }

    fn chunk_is_full(&self) -> bool {
        self.chunk.is_full(self.state.streams.lines_max)
    }

    fn add(&mut self, Line { number, text }: Line) {
        match Change::of_line(text.as_deref()) {
            Ok(change) => self.add_change(number, change),
            Err(problem) => {
                let problem = problem.of_line(number);
                self.chunk.refuse(number, &problem, &self.state.outages);
            }
        }
    }

    fn add_change(&mut self, number: u64, change: Change) {
        let key = change.key();
        if self.held.contains(key) {
            self.waits = Some((number, change));
            return;
        }
        let is_delete = matches!(change, Change::Delete(_));
        if is_delete || !self.state.engine.keeps_order() {
            self.held.insert(key.clone());
            self.chunk_held.push(key.clone());
        }
        match change {
            Change::Put(key, body) => self.chunk.put(number, key, body),
            Change::Delete(key) => self.chunk.delete(number, key),
        }
    }

    /// Begins to write the chunk. Returns whether there was room for it.
    async fn begin(&mut self) -> bool {
        let Some(room) = self.room().await else {
            return false;
        };
        let chunk = std::mem::take(&mut self.chunk);
        let (lines, bytes) = (chunk.lines(), chunk.bytes());
        let (state, wanted) = (self.state.clone(), self.wanted);
        let answers: ChunkFuture = Box::pin(async move {
            let _room = room;
            let State {
                engine, outages, ..
            } = &**state;
            chunk.write(&**engine, outages, wanted).await
        });
        let mut answers = Box::pin(MaybeDone::Future(answers));
        // IMPORTANT: at once, so that the chunks are submitted in their order.
        poll_fn(|context| {
            let _ = answers.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
        self.window_lines += lines;
        self.window_bytes += bytes;
        self.under_way.push_back(UnderWay {
            answers,
            lines,
            bytes,
            held: std::mem::take(&mut self.chunk_held),
        });
        true
    }

    /// The places of the chunk's lines among those of all streams. Waits for them only where none of
    /// this stream is under way.
    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        let places = self.state.streams.lines.clone();
        let lines = self.chunk.lines().min(self.state.streams.lines_max) as u32;
        match self.under_way.is_empty() {
            false => places.try_acquire_many_owned(lines).ok(),
            true => places.acquire_many_owned(lines).await.ok(),
        }
    }

    /// The oldest chunk is answered.
    fn finished(&mut self) {
        if let Some(done) = self.under_way.pop_front() {
            self.window_lines -= done.lines;
            self.window_bytes -= done.bytes;
            for key in &done.held {
                self.held.remove(key);
            }
        }
    }
}

/// The answers of the oldest chunk.
async fn next_answers(under_way: &mut VecDeque<UnderWay>) -> Vec<u8> {
    let Some(oldest) = under_way.front_mut() else {
        return Vec::new();
    };
    oldest.answers.as_mut().await;
    oldest.answers.as_mut().take_output().unwrap_or_default()
}

/// The next piece of the body; `None` when it does not come in time.
async fn read(
    payload: &mut Payload,
    due: Option<Instant>,
) -> Option<Option<Result<Bytes, PayloadError>>> {
    let due = due.unwrap_or_else(|| Instant::now() + LINE_TIMEOUT);
    timeout_at(due, payload.next()).await.ok()
}
