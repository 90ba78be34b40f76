//! `GET /journal` and `POST /flush`.

use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use cache_core::engine::write_behind::{ShardState, WriteBehind};
use cache_http::json::json;
use cache_http::problem::{Kind, Problem};
use cache_http::query::Query;
use cache_http::resource::{get, on, resource};
use serde::Serialize;

const FLUSH_TIMEOUT_S_MAX: u32 = 3600;
const FLUSH_TIMEOUT_S_DEFAULT: u32 = 30;

/// Adds both.
pub(crate) fn configure(config: &mut ServiceConfig) {
    resource(config, "/journal", "GET, HEAD", vec![get(journal)]);
    resource(config, "/flush", "POST", vec![on(Method::POST, flush)]);
}

/// How much waits in the journal.
#[derive(Serialize)]
struct Backlog {
    depth: u64,
    bytes: u64,
    oldest_age_ms: u64,
    drained_per_s: f64,
    dead_letters: u64,
    dead_letters_max: u64,
    held_back: u64,
    held_back_bytes: u64,
    lost: u64,
    shards: Vec<ShardBacklog>,
}

#[derive(Serialize)]
struct ShardBacklog {
    shard: u16,
    depth: u64,
    bytes: u64,
    oldest_age_ms: u64,
    drained_per_s: f64,
    dead_letters: u64,
    held_back: u64,
    held_back_bytes: u64,
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

#[derive(Serialize)]
struct Flushed {
    message: &'static str,
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
        let message = "All that was acknowledged before this call is in the database, or among the dead letters.";
        let waited_ms = began.elapsed().as_millis() as u64;
        let flushed = Flushed { message, waited_ms };
        return Ok(json(HttpResponse::Ok(), &flushed));
    }
    Err(Problem::new(
        Kind::NotPersisted,
        format!(
            "not all that was acknowledged is in the database after {timeout_s} s; it stays in the journal"
        ),
    ))
}
