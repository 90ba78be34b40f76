//! `GET /journal` and `POST /flush`.

use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cache_core::engine::write_behind::{ShardState, WriteBehind};
use cache_http::description::{Answer, Call, ENGINE, PARAMETERS, Tag, query, whole_number};
use cache_http::json::json;
use cache_http::problem::{Kind, Problem};
use cache_http::query::Query;
use cache_http::resource::{Right, Routes, get, on, resource};
use serde::Serialize;
use utoipa::ToSchema;

const FLUSH_TIMEOUT_S_MAX: u32 = 3600;
const FLUSH_TIMEOUT_S_DEFAULT: u32 = 30;

/// Adds both.
pub(crate) fn configure(routes: &mut Routes) {
    resource(
        routes,
        "/journal",
        "GET, HEAD",
        vec![get(Right::Read, journal, journal_call)],
    );
    resource(
        routes,
        "/flush",
        "POST",
        vec![on(Method::POST, Right::Admin, flush, flush_call)],
    );
}

fn journal_call() -> Call {
    let shard = ShardBacklog {
        lease_holder: Some("6c1f0a9be2d74835".to_owned()),
        ..ShardBacklog::default()
    };
    let backlog = Backlog {
        dead_letters_max: 10_000,
        shards: vec![shard],
        ..Backlog::default()
    };
    Call::new(
        Tag::Journal,
        "readJournal",
        "How much waits for the database",
    )
    .answers(Answer::ok("The figures, in all and by shard.").json(&backlog))
    .refuses(ENGINE)
}

fn flush_call() -> Call {
    let timeout_s = whole_number(0..=FLUSH_TIMEOUT_S_MAX, FLUSH_TIMEOUT_S_DEFAULT);
    let flushed = Flushed {
        message: FLUSHED,
        waited_ms: 12,
    };
    Call::new(Tag::Journal, "flush", "Wait until the database has all")
        .takes(query(
            "timeout_s",
            "How many seconds to wait. Past them the answer is `504`.",
            timeout_s,
        ))
        .answers(Answer::ok(FLUSHED).json(&flushed))
        .refuses(PARAMETERS)
        .refuses(ENGINE)
        .refuses(&[Kind::NotPersisted])
}

/// How much waits in the journal.
#[derive(Default, Serialize, ToSchema)]
struct Backlog {
    /// Writes that wait for the database, without those that are held back.
    depth: u64,
    /// Their bytes.
    bytes: u64,
    /// The age of the oldest one.
    oldest_age_ms: u64,
    /// Writes that all processes drain a second.
    drained_per_s: f64,
    /// Writes that the database refused.
    dead_letters: u64,
    /// `DEAD_LETTERS_MAX`.
    dead_letters_max: u64,
    /// More refused writes, which wait in the journal for room among the dead letters.
    held_back: u64,
    /// About how many bytes those take.
    held_back_bytes: u64,
    /// Acknowledged writes that Redis has lost, at most.
    lost: u64,
    /// The same by shard.
    shards: Vec<ShardBacklog>,
}

/// How much waits in one shard.
#[derive(Default, Serialize, ToSchema)]
struct ShardBacklog {
    /// Its number.
    shard: u16,
    /// As in `Backlog`.
    depth: u64,
    /// As in `Backlog`.
    bytes: u64,
    /// As in `Backlog`.
    oldest_age_ms: u64,
    /// As in `Backlog`.
    drained_per_s: f64,
    /// As in `Backlog`.
    dead_letters: u64,
    /// As in `Backlog`.
    held_back: u64,
    /// As in `Backlog`.
    held_back_bytes: u64,
    /// The process that drains it; `null` without one.
    #[schema(required)]
    lease_holder: Option<String>,
}

impl From<ShardState> for ShardBacklog {
    fn from(state: ShardState) -> ShardBacklog {
        let stats = state.stats;
        ShardBacklog {
            shard: stats.shard.0,
            depth: stats.depth,
            bytes: stats.bytes,
            oldest_age_ms: stats.oldest_age_us / 1000,
            drained_per_s: state.drain_rate.round(),
            dead_letters: stats.dead,
            held_back: stats.held_back,
            held_back_bytes: stats.held_back_bytes,
            lease_holder: state.holder,
        }
    }
}

async fn journal(engine: Data<WriteBehind>) -> Result<HttpResponse, Problem> {
    let state = engine
        .journal_state()
        .await
        .map_err(|error| Problem::of_read(&error))?;
    let shards: Vec<ShardBacklog> = state.shards.into_iter().map(ShardBacklog::from).collect();
    let sum = |figure: fn(&ShardBacklog) -> u64| shards.iter().map(figure).sum();
    let backlog = Backlog {
        depth: sum(|shard| shard.depth),
        bytes: sum(|shard| shard.bytes),
        oldest_age_ms: shards
            .iter()
            .map(|shard| shard.oldest_age_ms)
            .max()
            .unwrap_or(0),
        drained_per_s: shards.iter().map(|shard| shard.drained_per_s).sum(),
        dead_letters: sum(|shard| shard.dead_letters),
        dead_letters_max: state.dead_letters_max,
        held_back: sum(|shard| shard.held_back),
        held_back_bytes: sum(|shard| shard.held_back_bytes),
        lost: state.lost,
        shards,
    };
    Ok(json(HttpResponse::Ok(), &backlog))
}

const FLUSHED: &str =
    "All that was acknowledged before this call is in the database, or among the dead letters.";

/// The end of a flush.
#[derive(Serialize, ToSchema)]
struct Flushed {
    /// What happened.
    message: &'static str,
    /// How long it took.
    waited_ms: u64,
}

async fn flush(engine: Data<WriteBehind>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut query = Query::parse(request.query_string())?;
    let timeout_s = query.number(
        "timeout_s",
        0..=FLUSH_TIMEOUT_S_MAX,
        FLUSH_TIMEOUT_S_DEFAULT,
    );
    query.finish()?;
    let began = Instant::now();
    let flushed = engine.flush(Duration::from_secs(timeout_s.into())).await;
    if flushed.map_err(|error| Problem::of_read(&error))? {
        let waited_ms = began.elapsed().as_millis() as u64;
        let flushed = Flushed {
            message: FLUSHED,
            waited_ms,
        };
        return Ok(json(HttpResponse::Ok(), &flushed));
    }
    Err(Problem::new(
        Kind::NotPersisted,
        format!(
            "not all that was acknowledged is in the database after {timeout_s} s; it stays in the journal"
        ),
    ))
}
