//! The server: the routes on a listener until it is told to stop.

use std::future::Future;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpServer};
use cache_core::engine::{Engine, Health};
use cache_core::health::PartHealth;
use cache_core::settings::{Service, Settings};
use cache_core::shutdown::Signals;
use tokio::time::Instant;

use crate::dashboard::{self, Viewers};
use crate::descriptors;
use crate::state::State;
use crate::{cache, health, unknown, users};

/// Listens, says where, serves until SIGTERM or SIGINT, and stops cleanly: takes
/// no more connections, finishes what is in flight, then stops the engine, all
/// within the settings' deadline.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn run(
    settings: &Settings,
    version: &str,
    engine: Arc<dyn Engine>,
    mut signals: Signals,
    metrics: cache_core::telemetry::MetricsHandle,
    own_routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<()> {
    let listener = TcpListener::bind(settings.listen).map_err(|error| {
        io::Error::new(error.kind(), format!("LISTEN {}: {error}", settings.listen))
    })?;
    announce(
        settings.service,
        version,
        listener.local_addr()?,
        &engine.health().await,
    );
    let signal = async move {
        // Not among the event's fields, which nobody evaluates where the log leaves the event out.
        let signal = signals.next().await;
        tracing::info!(signal, "stopping");
        Instant::now() + settings.shutdown_deadline
    };
    let state = State {
        service: settings.service,
        engine: engine.clone(),
        metrics,
        viewers: Viewers::new(),
    };
    let threads = Threads {
        workers: descriptors::workers(settings),
        connections_max: descriptors::worker_connections_max(settings)
            .map_err(io::Error::other)?
            .get(),
    };
    let deadline = serve(listener, threads, state, own_routes, signal).await?;
    engine
        .stop(deadline.saturating_duration_since(Instant::now()))
        .await;
    Ok(())
}

/// The threads that serve HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    /// How many.
    pub workers: usize,
    /// Most connections of each; others wait until one ends.
    pub connections_max: usize,
}

/// How long a client may take to send the head of its first request, and how long a connection
/// is kept between two.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Serves the shared routes and the service's own until `stop` completes with
/// the time by which all must be over; then takes no more connections and
/// finishes what is in flight. Returns that time.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(
    listener: TcpListener,
    threads: Threads,
    state: State,
    own_routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    stop: impl Future<Output = Instant>,
) -> io::Result<Instant> {
    let viewers = state.viewers.clone();
    let state = Data::new(state);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .configure(own_routes.clone())
            .configure(users::configure)
            .configure(cache::configure)
            .configure(health::configure)
            .configure(dashboard::configure)
            .configure(unknown::configure)
    });
    let server = server
        .workers(threads.workers)
        // One that says nothing is closed by the timeouts, and another takes its place.
        .max_connections(threads.connections_max)
        .client_request_timeout(REQUEST_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .listen(listener)?
        .disable_signals()
        .shutdown_timeout(u64::from(u32::MAX))
        .run();
    let handle = server.handle();
    let running = tokio::spawn(server);
    let deadline = stop.await;
    viewers.send_away();
    // The engine drains all the while, but has some time for itself at the end.
    let left = deadline.saturating_duration_since(Instant::now());
    let for_requests = left - DRAIN_RESERVE.min(left / 2);
    if tokio::time::timeout(for_requests, handle.stop(true))
        .await
        .is_err()
    {
        tracing::warn!("requests in flight did not end in time and are cut off");
        return Ok(deadline);
    }
    running.await.map_err(io::Error::other)??;
    Ok(deadline)
}

/// The part of the shutdown deadline that requests in flight leave to the drain.
const DRAIN_RESERVE: Duration = Duration::from_secs(5);

/// Says on standard output where the service listens, what it runs on, and what
/// to try.
fn announce(service: Service, version: &str, address: SocketAddr, health: &Health) {
    let part = |name, part: &PartHealth| {
        let durability = part
            .durability
            .as_deref()
            .map_or(String::new(), |durability| format!(" ({durability})"));
        format!("  {name:<10} {}: {}{durability}\n", part.kind, part.at)
    };
    let mut text = format!(
        "{} {version}\n  {:<10} http://{address}\n",
        service.binary(),
        "listening"
    );
    text += &part("cache", &health.cache);
    if let Some(journal) = &health.journal {
        text += &part("journal", journal);
    }
    text += &part("database", &health.database);
    text += &format!(
        "  {:<10} curl -X POST http://{address}/{} -H 'Content-Type: application/json' \
         -d '{{\"name\": \"John Doe\", \"age\": 30, \"occupation\": \"Engineer\"}}'\n",
        "try",
        service.name()
    );
    // Nobody may be reading, and that is no reason to stop.
    let mut output = io::stdout().lock();
    let _ = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
}
