//! The bound on the memory of answers that clients have not taken yet.
//!
//! An answer over `SMALL_BYTES_MAX` takes as many permits as it has bytes until its last piece is
//! written. It is written in pieces, since actix would copy it as a whole beside itself.
//!
//! A page takes the most that it may need before it is read, and gives back what it does not need once its
//! size is known.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::ResponseError as _;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use bytes::Bytes;
use std::convert::Infallible;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connection::Clock;
use crate::problem::{Kind, Problem};

/// An answer of at most this many bytes is not counted.
const SMALL_BYTES_MAX: usize = 16 * 1024;
/// An answer of more bytes than this counts as a page, so that pages leave room for metrics.
const MIDDLE_BYTES_MAX: usize = 256 * 1024;
/// Most bytes of pages that are made or written at the same time.
const PAGES_BYTES_MAX: usize = 48 << 20;
/// The same for answers between both sizes.
const MIDDLE_ANSWERS_BYTES_MAX: usize = 16 << 20;
/// Bytes of a piece.
const PIECE_BYTES: usize = 16 * 1024;
/// How long a page waits for room, in order.
const PAGE_ROOM_TIMEOUT: Duration = Duration::from_secs(2);
/// The value of `Retry-After`.
const RETRY_AFTER_S: u64 = 1;
/// Most bytes of one record in a page, including the reason of a dead letter.
const RECORD_BYTES_MAX: usize = 4 * 1024;

/// The room for large answers. Clones share it.
#[derive(Clone, Debug)]
pub struct Answers {
    pages: Arc<Semaphore>,
    middle: Arc<Semaphore>,
}

/// Room for one answer, until it is dropped. A handler leaves it among the answer's extensions.
#[derive(Debug)]
pub struct Room(OwnedSemaphorePermit);

impl Room {
    /// Gives back all but the room for so many bytes.
    fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.0.num_permits().saturating_sub(bytes);
        drop(self.0.split(surplus));
    }
}

impl Default for Answers {
    fn default() -> Self {
        Answers {
            pages: Arc::new(Semaphore::new(PAGES_BYTES_MAX)),
            middle: Arc::new(Semaphore::new(MIDDLE_ANSWERS_BYTES_MAX)),
        }
    }
}

impl Answers {
    /// Reserves room for a page of at most `records` records, before they are read. Waits for it up to 2 s.
    ///
    /// # Errors
    /// `503` while too many pages are under way.
    pub async fn room_for_page(&self, records: u32) -> Result<Room, Problem> {
        let permits = permits(records as usize * RECORD_BYTES_MAX);
        let room = self.pages.clone().acquire_many_owned(permits);
        match tokio::time::timeout(PAGE_ROOM_TIMEOUT, room).await {
            Ok(Ok(permit)) => Ok(Room(permit)),
            Ok(Err(_)) | Err(_) => Err(no_room()),
        }
    }

    /// The same answer, in pieces if it is large; `503` if there is no room for it.
    pub(crate) fn bounded(
        &self,
        mut response: ServiceResponse,
        clock: Option<Rc<Clock>>,
    ) -> ServiceResponse {
        let reserved = response.response_mut().extensions_mut().remove::<Room>();
        let BodySize::Sized(size) = response.response().body().size() else {
            return response;
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size <= SMALL_BYTES_MAX {
            return response;
        }
        let room = match reserved {
            Some(mut room) if room.0.num_permits() >= size => {
                room.shrink_to(size);
                Ok(room)
            }
            _ if size > MIDDLE_BYTES_MAX => take(&self.pages, size),
            _ => take(&self.middle, size),
        };
        match room {
            Ok(room) => response.map_body(|_, body| in_pieces(body, room, clock)),
            Err(problem) => response.into_response(problem.error_response()),
        }
    }
}

fn take(room: &Arc<Semaphore>, bytes: usize) -> Result<Room, Problem> {
    let taken = room.clone().try_acquire_many_owned(permits(bytes));
    taken.map(Room).map_err(|_| no_room())
}

fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn no_room() -> Problem {
    Problem::passing(
        Kind::Overloaded,
        "too many large answers are under way",
        RETRY_AFTER_S,
    )
}

fn in_pieces(body: BoxBody, room: Room, clock: Option<Rc<Clock>>) -> BoxBody {
    match body.try_into_bytes() {
        Ok(rest) => {
            if let Some(clock) = &clock {
                clock.answers(true);
            }
            let pieces = Pieces {
                rest,
                clock,
                _room: room,
            };
            pieces.boxed()
        }
        Err(body) => body,
    }
}

struct Pieces {
    rest: Bytes,
    clock: Option<Rc<Clock>>,
    _room: Room,
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.rest.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let length = PIECE_BYTES.min(self.rest.len());
        let piece = self.rest.split_to(length);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        if let Some(clock) = &self.clock {
            clock.answers(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::HttpResponse;
    use actix_web::test::TestRequest;

    use super::*;

    const PAGES_MAX: usize = PAGES_BYTES_MAX / (1000 * RECORD_BYTES_MAX);

    async fn room(answers: &Answers) -> Room {
        answers.room_for_page(1000).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn pages_without_room_are_refused_until_some_is_given_back() {
        let answers = Answers::default();
        let mut rooms = Vec::new();
        for _ in 0..PAGES_MAX {
            rooms.push(room(&answers).await);
        }
        let refused = answers.room_for_page(1000).await.unwrap_err();
        let refused = refused.error_response();
        assert!(refused.headers().contains_key("retry-after"));
        rooms.pop();
        room(&answers).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_waits_for_room() {
        let answers = Answers::default();
        let mut rooms = Vec::new();
        for _ in 0..PAGES_MAX {
            rooms.push(room(&answers).await);
        }
        let leave = async {
            tokio::time::sleep(PAGE_ROOM_TIMEOUT / 2).await;
            rooms.pop();
        };
        tokio::join!(room(&answers), leave);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_keeps_room_for_its_real_size() {
        for size in [20, SMALL_BYTES_MAX + 1] {
            let answers = Answers::default();
            let mut pages = Vec::new();
            for _ in 0..PAGES_MAX * 4 {
                let room = room(&answers).await;
                let mut page = HttpResponse::Ok().body(vec![b' '; size]);
                page.extensions_mut().insert(room);
                let page = TestRequest::default().to_srv_response(page);
                pages.push(answers.bounded(page, None));
            }
            assert!(pages.iter().all(|page| page.status() == 200));
        }
    }
}
