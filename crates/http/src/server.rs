//! The server: the routes on a listener until it is told to stop.

use std::future::Future;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, Request};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, map_config};
use actix_web::App;
use actix_web::dev::{AppConfig, Server, Service, ServiceFactory, ServiceResponse, fn_service};
use actix_web::web::{Data, ServiceConfig};
use cache_core::engine::{Engine, Health};
use cache_core::health::PartHealth;
use cache_core::settings::{self, Settings};
use cache_core::shutdown::Signals;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::answers::Answers;
use crate::connection::Connection;
use crate::dashboard::{self, Viewers};
use crate::expect::expect;
use crate::origins::Origins;
use crate::state::State;
use crate::unread::LINGER;
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
        origins: Origins::listed(settings.allowed_origins.clone()),
        answers: Answers::default(),
    };
    let deadline = serve(listener, settings.http_workers, state, own_routes, signal).await?;
    engine
        .stop(deadline.saturating_duration_since(Instant::now()))
        .await;
    Ok(())
}

/// Serves the shared routes and the service's own until `stop` completes with
/// the time by which all must be over; then takes no more connections and
/// finishes what is in flight. Returns that time.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(
    listener: TcpListener,
    workers: usize,
    state: State,
    own_routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    stop: impl Future<Output = Instant>,
) -> io::Result<Instant> {
    let viewers = state.viewers.clone();
    let state = Data::new(state);
    let server = build(listener, workers, move || {
        App::new()
            .app_data(state.clone())
            .configure(own_routes.clone())
            .configure(users::configure)
            .configure(cache::configure)
            .configure(health::configure)
            .configure(dashboard::configure)
            .configure(unknown::configure)
            .into_factory()
    })?;
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

/// As actix's own `HttpServer` does it, but with connections that are bounded in time and `100 Continue`
/// only where the body is read.
fn build<A>(
    listener: TcpListener,
    workers: usize,
    app: impl Fn() -> A + Clone + Send + 'static,
) -> io::Result<Server>
where
    A: ServiceFactory<
            Request,
            Config = AppConfig,
            Response = ServiceResponse,
            Error = actix_web::Error,
            InitError = (),
            Future: 'static,
            Service: Service<Request, Future: 'static> + 'static,
        > + 'static,
{
    let server = Server::build()
        .disable_signals()
        .shutdown_timeout(u64::from(u32::MAX));
    let server = match workers {
        0 => server,
        workers => server.workers(workers),
    };
    let stopping = server.graceful_shutdown_signal();
    let serve = move || {
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .client_disconnect_timeout(LINGER)
            .expect(expect(app()))
            .on_connect_ext(|connection: &Connection, data| {
                data.insert(connection.clock().clone());
            })
            .h1(map_config(app(), |()| AppConfig::default()));
        let connect = |stream: TcpStream| async move {
            let peer = stream.peer_addr().ok();
            Ok((Connection::new(stream), peer))
        };
        fn_service(connect).and_then(http)
    };
    Ok(server.listen("http", listener, serve)?.run())
}

/// The part of the shutdown deadline that requests in flight leave to the drain.
const DRAIN_RESERVE: Duration = Duration::from_secs(5);

/// Says on standard output where the service listens, what it runs on, and what
/// to try.
fn announce(service: settings::Service, version: &str, address: SocketAddr, health: &Health) {
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
