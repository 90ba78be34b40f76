//! The server: the routes on a listener until it is told to stop.

use std::future::Future;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Request};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, map_config};
use actix_web::App;
use actix_web::dev::{AppConfig, Server, Service, ServiceFactory, ServiceResponse, fn_service};
use actix_web::web::Data;
use cache_core::concurrency::worker;
use cache_core::engine::purge::Purging;
use cache_core::engine::{Engine, Health};
use cache_core::error::Error;
use cache_core::outage::Outages;
use cache_core::outage::health::PartHealth;
use cache_core::ownership::claim::Claimed;
use cache_core::ownership::guard::Guard;
use cache_core::parts::ClientFiles;
use cache_core::process::shutdown::{Deadline, Signals};
use cache_core::settings::{self, Dashboard, Settings};
use cache_core::telemetry::{self, MetricsHandle};
use tokio::net::{TcpSocket, TcpStream};

use crate::answers::Answers;
use crate::connection::{Connection, Crowd};
use crate::dashboard;
use crate::description::Document;
use crate::descriptors;
use crate::door::Door;
use crate::expect::expect;
use crate::live::{Recent, Viewers};
use crate::resource::Routes;
use crate::state::State;
use crate::streams::Streams;
use crate::tls::{ServerTls, Stream};
use crate::unread::LINGER;
use crate::{bulk, cache, documents, health, index, problems, scrape, start, unknown, users};

/// An engine that was started, and what works beside it until the engine has stopped.
#[derive(Debug)]
pub struct Started {
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// The right to use the database, where several processes could.
    pub claimed: Option<Claimed>,
    /// What guards a Redis from being used for another database than its own.
    pub guard: Option<Arc<Guard>>,
    /// How the engine's parts are.
    pub outages: Outages,
    /// The files of TLS to Redis and to the database.
    pub client_files: ClientFiles,
    /// What removes old tombstones.
    pub purging: Option<Purging>,
}

impl Started {
    /// Stops the engine and the rest, in an order in which none waits for another.
    pub(crate) async fn stop(self, deadline: Deadline) {
        let stop = self.engine.stop(deadline.left());
        // The engine keeps its deadline by itself, and has something to say after it.
        if deadline.unless_hurried(stop).await.is_none() {
            self.engine.stop(Duration::ZERO).await;
        }
        // The purge uses the journal's links, which would wait for the guard.
        drop(self.purging);
        if let Some(guard) = self.guard {
            guard.leave().await;
        }
    }
}

/// Takes the address, starts the service by `start`, announces the address, serves until
/// SIGTERM, SIGINT or SIGHUP, and stops cleanly: takes no more connections, finishes what is
/// in flight, then stops the engine, all within the settings' deadline. A SIGINT meanwhile ends
/// that at once. `start` returns the service's own routes as well.
///
/// # Errors
/// When the address is taken, which is found before `start`, or when `start` fails.
pub async fn run<R>(
    settings: &Settings,
    version: &str,
    mut signals: Signals,
    start: impl Future<Output = Result<(Started, R), Error>> + Send + 'static,
) -> Result<(), Box<dyn std::error::Error>>
where
    R: Fn(&mut Routes) + Clone + Send + 'static,
{
    let metrics = telemetry::start_metrics(settings.service.name())?;
    let door = Door::open(settings)?;
    let address = take(settings.listen)?;
    let Some(started) = signals.unless_stopped(start).await else {
        return Ok(());
    };
    let (mut started, own_routes) = started?;
    if let Some(claimed) = &started.claimed {
        started.engine = claimed.admits(started.engine);
    }
    let state = (metrics, door);
    let served = listen(
        settings, version, address, &started, signals, state, own_routes,
    )
    .await;
    let deadline = match &served {
        Ok(deadline) => deadline.clone(),
        Err(_) => Deadline::fixed(settings.shutdown_deadline),
    };
    started.stop(deadline).await;
    Ok(served.map(drop)?)
}

/// Takes the address, without listening on it: until the service is there, connections are
/// refused.
fn take(address: SocketAddr) -> io::Result<TcpSocket> {
    let taken = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // As a listener of the standard library does: connections that were just closed do not matter.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    };
    taken().map_err(|error: io::Error| {
        io::Error::new(error.kind(), format!("LISTEN {address}: {error}"))
    })
}

/// Listens and serves. Returns the time by which all must be over.
async fn listen(
    settings: &Settings,
    version: &str,
    address: TcpSocket,
    started: &Started,
    mut signals: Signals,
    (metrics, door): (MetricsHandle, Door),
    own_routes: impl Fn(&mut Routes) + Clone + Send + 'static,
) -> io::Result<Deadline> {
    let listener = address.listen(CONNECTIONS_WAITING_MAX).map_err(|error| {
        io::Error::new(error.kind(), format!("LISTEN {}: {error}", settings.listen))
    })?;
    let listener = listener.into_std()?;
    let (address, health) = (listener.local_addr()?, started.engine.health().await);
    let scheme = if door.tls().is_some() {
        "https"
    } else {
        "http"
    };
    announce(
        settings.service,
        version,
        &format!("{scheme}://{address}"),
        &health,
    );
    start::log(settings.service, version, address, &health);
    let shutdown_deadline = settings.shutdown_deadline;
    let signal = async move {
        // Awaited before the event, whose fields are not evaluated where the log leaves the event out.
        let signal = signals.next().await;
        tracing::info!(signal, "stopping");
        signals.deadline(shutdown_deadline)
    };
    bulk::started();
    let state = State {
        service: settings.service,
        engine: started.engine.clone(),
        metrics,
        outages: started.outages.clone(),
        dashboard: settings.dashboard,
        recent: Recent::default(),
        viewers: Viewers::new(),
        door: door.beside(started.client_files.clone()),
        answers: Answers::default(),
        streams: Streams::new(settings.waiting_max),
    };
    let threads = Threads {
        workers: descriptors::workers(settings),
        connections_max: descriptors::worker_connections_max(settings)
            .map_err(io::Error::other)?
            .get(),
        keep_alive: settings.keep_alive,
    };
    serve(listener, threads, state, own_routes, signal).await
}

/// The threads that serve HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    /// How many.
    pub workers: usize,
    /// Most connections of each; others wait until one ends.
    pub connections_max: usize,
    /// How long a connection is kept that a client does not use.
    pub keep_alive: Duration,
}

/// Serves the shared routes and the service's own until `stop` completes with
/// the time by which all must be over; then takes no more connections and
/// finishes what is in flight. Returns that deadline.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(
    listener: TcpListener,
    threads: Threads,
    state: State,
    own_routes: impl Fn(&mut Routes) + Clone + Send + 'static,
    stop: impl Future<Output = Deadline>,
) -> io::Result<Deadline> {
    let (viewers, streams, shown) = (
        state.viewers.clone(),
        state.streams.clone(),
        state.dashboard,
    );
    let routes = move || routes(&own_routes, shown);
    let document = Data::new(Document::of(
        state.service,
        &routes(),
        state.door.wants_tokens(),
    ));
    let state = Data::new(state);
    let figures_of = state.clone();
    let tls = state.door.tls().cloned();
    let server = build(listener, threads, tls, move || {
        App::new()
            .app_data(state.clone())
            .app_data(document.clone())
            .configure(|config| routes().configure(config))
            .configure(unknown::configure)
            .into_factory()
    })?;
    let handle = server.handle();
    let running = tokio::spawn(server);
    let watching = tokio::spawn(dashboard::keep(figures_of));
    let deadline = stop.await;
    watching.abort();
    viewers.end_all();
    streams.stop();
    // The engine drains all the while, but has some time for itself at the end.
    let reserve = DRAIN_RESERVE.min(deadline.left() / 2);
    if deadline.within(reserve, handle.stop(true)).await.is_none() {
        tracing::warn!("requests in flight did not end in time and are cut off");
        return Ok(deadline);
    }
    running.await.map_err(io::Error::other)??;
    Ok(deadline)
}

/// The service's own routes, and those that both services have.
pub fn routes(own_routes: impl Fn(&mut Routes), shown: Dashboard) -> Routes {
    let mut routes = Routes::default();
    own_routes(&mut routes);
    users::configure(&mut routes);
    cache::configure(&mut routes);
    health::configure(&mut routes);
    scrape::configure(&mut routes);
    dashboard::configure(&mut routes, shown);
    problems::configure(&mut routes);
    documents::configure(&mut routes);
    index::configure(&mut routes);
    routes
}

/// Connections that may wait to be accepted: they are accepted in order, so a client behind idle ones waits for
/// all of them.
const CONNECTIONS_WAITING_MAX: u32 = 128;

/// Builds the server as actix's own `HttpServer` does, but with connections that are bounded in time, and
/// with `100 Continue` only if the body is read.
fn build<A>(
    listener: TcpListener,
    threads: Threads,
    tls: Option<ServerTls>,
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
        .workers(threads.workers)
        // An idle connection is closed by the timeouts, and another one takes its place.
        .max_concurrent_connections(threads.connections_max)
        .disable_signals()
        .shutdown_timeout(u64::from(u32::MAX));
    let stopping = server.graceful_shutdown_signal();
    let serve = move || {
        let tls = tls.clone();
        // On each of the threads, also on one that replaces another.
        worker::enter();
        let stopping = stopping.clone();
        let crowd = Crowd::new(threads.connections_max, threads.keep_alive);
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            // The connection bounds these times itself. actix would answer one that asked nothing, and does
            // not know whether others wait for the place of one.
            .client_request_timeout(Duration::ZERO)
            .keep_alive(KeepAlive::Os)
            .client_disconnect_timeout(LINGER)
            .expect(expect(app()))
            .on_connect_ext(|connection: &Connection, data| {
                data.insert(connection.clock().clone());
            })
            .h1(map_config(app(), |()| AppConfig::default()));
        let connect = move |stream: TcpStream| {
            let (member, tls) = (crowd.join(), tls.clone());
            async move {
                let peer = stream.peer_addr().ok();
                let stream = match tls {
                    None => Stream::Plain(stream),
                    Some(tls) => tls.accept(stream).await.map_err(|error| {
                        tracing::debug!(%error, "no secure connection to a client");
                        DispatchError::Io(error)
                    })?,
                };
                Ok((Connection::new(stream, member), peer))
            }
        };
        fn_service(connect).and_then(http)
    };
    Ok(server.listen("http", listener, serve)?.run())
}

/// The part of the shutdown deadline that requests in flight leave to the drain.
const DRAIN_RESERVE: Duration = Duration::from_secs(5);

/// Says on standard output where the service listens, what it runs on, and what
/// to try.
fn announce(service: settings::Service, version: &str, url: &str, health: &Health) {
    let part = |name, part: &PartHealth| {
        let durability = part
            .durability
            .as_deref()
            .map_or(String::new(), |durability| format!(" ({durability})"));
        format!("  {name:<10} {}: {}{durability}\n", part.kind, part.at)
    };
    let mut text = format!(
        "{} {version}\n  {:<10} {url}\n",
        service.binary(),
        "listening"
    );
    text += &part("cache", &health.cache);
    if let Some(journal) = &health.journal {
        text += &part("journal", journal);
    }
    text += &part("database", &health.database);
    text += &format!(
        "  {:<10} curl -X POST {url}/{} -H 'Content-Type: application/json' \
         -d '{{\"name\": \"John Doe\", \"age\": 30, \"occupation\": \"Engineer\"}}'\n",
        "try",
        service.name()
    );
    // Standard output may be closed, which is no reason to stop.
    let mut output = io::stdout().lock();
    let _ = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
}
