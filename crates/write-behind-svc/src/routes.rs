//! The routes that only this service has.

use std::time::{Duration, Instant};

use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use cache_core::journal::ShardStats;
use cache_core::write_behind::WriteBehind;
use cache_http::problem::Problem;
use cache_http::query::Query;
use cache_http::resource::{get, on, resource};
use cache_http::users;
use serde::Serialize;

const FLUSH_TIMEOUT_S_MAX: u32 = 3600;
const FLUSH_TIMEOUT_S_DEFAULT: u32 = 30;

/// Adds `POST /write-behind`, `POST /read-behind`, `GET /journal` and `POST /flush`.
pub(crate) fn configure(config: &mut ServiceConfig, engine: Data<WriteBehind>) {
    config.app_data(engine);
    resource(
        config,
        "/write-behind",
        "POST",
        vec![on(Method::POST, users::write)],
    );
    resource(
        config,
        "/read-behind",
        "POST",
        vec![on(Method::POST, users::read)],
    );
    resource(config, "/journal", "GET, HEAD", vec![get(journal)]);
    resource(config, "/flush", "POST", vec![on(Method::POST, flush)]);
}

/// How much waits in the journal.
#[derive(Serialize)]
struct Backlog {
    depth: u64,
    bytes: u64,
    oldest_age_ms: u64,
    shards: Vec<ShardBacklog>,
}

#[derive(Serialize)]
struct ShardBacklog {
    shard: u16,
    depth: u64,
    bytes: u64,
    oldest_age_ms: u64,
}

impl From<&ShardStats> for ShardBacklog {
    fn from(stats: &ShardStats) -> ShardBacklog {
        ShardBacklog {
            shard: stats.shard.0,
            depth: stats.depth,
            bytes: stats.bytes,
            oldest_age_ms: stats.oldest_age_us / 1000,
        }
    }
}

async fn journal(engine: Data<WriteBehind>) -> Result<HttpResponse, Problem> {
    let stats = engine
        .journal_stats()
        .await
        .map_err(|error| Problem::of_read(&error))?;
    let shards: Vec<ShardBacklog> = stats.iter().map(ShardBacklog::from).collect();
    Ok(HttpResponse::Ok().json(Backlog {
        depth: shards.iter().map(|shard| shard.depth).sum(),
        bytes: shards.iter().map(|shard| shard.bytes).sum(),
        oldest_age_ms: shards
            .iter()
            .map(|shard| shard.oldest_age_ms)
            .max()
            .unwrap_or(0),
        shards,
    }))
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
        let message = "All that was acknowledged before this call is in the database.";
        return Ok(HttpResponse::Ok().json(Flushed {
            message,
            waited_ms: began.elapsed().as_millis() as u64,
        }));
    }
    Err(Problem::new(
        StatusCode::GATEWAY_TIMEOUT,
        format!(
            "not all that was acknowledged is in the database after {timeout_s} s; it stays in the journal"
        ),
    ))
}
