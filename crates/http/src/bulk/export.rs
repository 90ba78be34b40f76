//! `GET /users` as lines: all users, page by page, as fast as the client reads.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderValue, VARY};
use bytes::Bytes;
use cache_core::engine::Engine;
use cache_core::error::Error;
use cache_core::model::record::Key;
use cache_core::store::Page;
use futures_util::{Stream, stream};
use tokio::sync::watch;

use crate::answers::Room;
use crate::connection::Clock;
use crate::ndjson::{NDJSON, headed};
use crate::problem::Problem;
use crate::state::State;
use crate::user_json;

/// Users of a page. The room for it is kept for the whole answer.
const PAGE_USERS: u32 = 250;
/// Bytes of a piece.
const PIECE_BYTES: usize = 16 * 1024;

/// All users after a position. An answer that cannot go on is cut off: the connection is closed before the
/// last chunk.
///
/// # Errors
/// `503` when the database is unavailable from the start, or too many large answers are under way.
pub(crate) async fn export(
    state: &State,
    clock: Option<Rc<Clock>>,
    is_head: bool,
    after: Option<Key>,
) -> Result<HttpResponse, Problem> {
    let room = state.answers.room_for_page(PAGE_USERS).await?;
    let page = state.engine.page(after.as_ref(), PAGE_USERS).await;
    let page = page.map_err(|error| Problem::of_read(&error))?;
    let mut export = Export {
        engine: state.engine.clone(),
        stopping: state.streams.stopping(),
        clock,
        rest: Bytes::new(),
        next: None,
        _room: room,
    };
    export
        .take(page)
        .map_err(|error| Problem::of_read(&error))?;
    let mut answer = headed(NDJSON);
    answer.insert_header((VARY, HeaderValue::from_static("Accept")));
    Ok(match is_head {
        true => answer.finish(),
        false => answer.streaming(pieces(export)),
    })
}

struct Export {
    engine: Arc<dyn Engine>,
    stopping: watch::Receiver<bool>,
    clock: Option<Rc<Clock>>,
    /// Of the page, what was not sent.
    rest: Bytes,
    /// Where the next page begins.
    next: Option<Key>,
    _room: Room,
}

impl Export {
    fn take(&mut self, page: Page) -> Result<(), Error> {
        let mut lines = Vec::new();
        for record in &page.records {
            if let Some(body) = &record.body {
                user_json::add_user(&record.key, body, &mut lines)?;
                lines.push(b'\n');
            }
        }
        self.rest = lines.into();
        self.next = page.next;
        // A client has so long for each page.
        if let Some(clock) = &self.clock {
            clock.answers(true);
        }
        Ok(())
    }

    /// The next piece; `None` at the end.
    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        while self.rest.is_empty() {
            let Some(after) = self.next.take() else {
                return Ok(None);
            };
            if *self.stopping.borrow() {
                return Err(Error::Stopping);
            }
            let page = self.engine.page(Some(&after), PAGE_USERS).await?;
            self.take(page)?;
        }
        let length = PIECE_BYTES.min(self.rest.len());
        Ok(Some(self.rest.split_to(length)))
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        if let Some(clock) = &self.clock {
            clock.answers(false);
        }
    }
}

fn pieces(export: Export) -> impl Stream<Item = Result<Bytes, Error>> {
    stream::try_unfold(export, |mut export| async move {
        let piece = export.piece().await?;
        Ok(piece.map(|piece| (piece, export)))
    })
}
