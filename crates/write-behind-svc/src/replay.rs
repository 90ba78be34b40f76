//! `POST /dead-letters/replay`: all dead letters that match, a line each.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cache_core::engine::write_behind::WriteBehind;
use cache_core::engine::write_behind::replayer::{Replayed, ReplayedPage};
use cache_core::error::Result;
use cache_core::model::dead_letter::{DeadLetter, LetterQuery, ScanPosition};
use cache_http::description::{Answer, Call, Tag, WRITE};
use cache_http::ndjson::{Lines, ndjson};
use cache_http::problem::Problem;
use cache_http::query::Query;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{OneOfBuilder, Schema};

use crate::letter_filter::{filter, filtered};

/// About how many letters are replayed together. A client that disconnects ends the replay after these.
const PAGE: usize = 100;

pub(crate) fn replay_all_call() -> Call {
    let mut lines = Answer::ok(
        "A line for each letter, in no particular order, and a summary as the last one. An answer without it was cut off.",
    );
    let line = OneOfBuilder::new()
        .item(lines.schema::<Line<'_>>())
        .item(lines.schema::<Summary>());
    let lines = lines.body("application/x-ndjson", Schema::from(line), None);
    let call = Call::new(
        Tag::DeadLetters,
        "replayDeadLetters",
        "Apply all dead letters that match once more",
    )
    .text("Those that the database takes end. The others stay.");
    filtered(call).answers(lines).refuses(WRITE)
}

/// Replays all that match, page by page, as fast as the client reads.
pub(crate) async fn replay_all(
    engine: Data<WriteBehind>,
    request: HttpRequest,
) -> std::result::Result<HttpResponse, Problem> {
    let mut query = Query::parse(request.query_string())?;
    let matching = LetterQuery {
        max: PAGE,
        ..filter(&mut query)
    };
    query.finish()?;
    let mut replay = Replay {
        engine,
        query: matching,
        next: None,
        summary: Summary::default(),
    };
    // Before the answer begins, so that it can be an error.
    let first = replay.next_page().await;
    let first = first.map_err(|error| Problem::of_read(&error))?;
    if let (Some(error), 0) = (&first.failed, replay.summary.ended()) {
        return Err(Problem::of_write(error));
    }
    Ok(ndjson(|lines| replay.run(first, lines)))
}

/// What became of one letter.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayedLetter)]
struct Line<'a> {
    /// The user's name.
    name: &'a str,
    /// The version of the write.
    version: u64,
    /// `written`, `superseded`, `refused`, `locked`, `undecodable` or `failed`.
    outcome: &'static str,
    /// Why the letter stays, where it is refused or undecodable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn new((letter, outcome): &'a (DeadLetter, Replayed)) -> Line<'a> {
        let (word, reason) = match outcome {
            Replayed::Written => ("written", None),
            Replayed::Superseded => ("superseded", None),
            Replayed::Refused(reason) => ("refused", Some(reason.as_ref())),
            Replayed::Locked => ("locked", None),
            Replayed::Undecodable => ("undecodable", Some(letter.reason.as_ref())),
            Replayed::Failed => ("failed", None),
        };
        Line {
            name: letter.record.key.as_str(),
            version: letter.record.version.get(),
            outcome: word,
            reason,
        }
    }
}

/// The last line. An answer without it was cut off.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ReplaySummary)]
struct Summary {
    /// Whether all letters that match were attempted.
    complete: bool,
    /// Letters whose write the database has now.
    written: u64,
    /// Letters of which the database had something newer.
    superseded: u64,
    /// Letters that stay.
    left: u64,
    /// Why it is not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
}

impl Summary {
    /// How many letters have ended.
    fn ended(&self) -> u64 {
        self.written + self.superseded
    }

    fn count(&mut self, outcome: &Replayed) {
        match outcome {
            Replayed::Written => self.written += 1,
            Replayed::Superseded => self.superseded += 1,
            _ => self.left += 1,
        }
    }
}

struct Replay {
    engine: Data<WriteBehind>,
    query: LetterQuery,
    /// Where the next page begins; `None` at the beginning and at the end.
    next: Option<ScanPosition>,
    summary: Summary,
}

impl Replay {
    /// Replays the next letters.
    async fn next_page(&mut self) -> Result<ReplayedPage> {
        let from = self.next.as_ref();
        let (page, next) = self.engine.replay_dead_letters(&self.query, from).await?;
        self.next = next;
        page.outcomes
            .iter()
            .for_each(|(_, outcome)| self.summary.count(outcome));
        Ok(page)
    }

    /// Sends what became of the letters of each page, until there are no more, a part fails, or the
    /// client is gone.
    async fn run(mut self, mut page: ReplayedPage, lines: Lines) {
        let failed = loop {
            let outcomes: Vec<Line> = page.outcomes.iter().map(Line::new).collect();
            if !lines.send(&outcomes).await {
                return;
            }
            if page.failed.is_some() || self.next.is_none() {
                break page.failed;
            }
            page = match self.next_page().await {
                Ok(page) => page,
                Err(error) => break Some(error),
            };
        };
        self.summary.complete = failed.is_none();
        let reason = |error| Problem::of_read(&error).detail().to_owned();
        self.summary.reason = failed.map(reason);
        lines.send(&[self.summary]).await;
    }
}
