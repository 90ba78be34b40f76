//! The page, its events, and what its buttons do.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes, Data, Json, Path, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use cache_http::dashboard::{PageConfig, WatchedService, page};
use cache_http::live::{Place, VIEWERS_MAX, Viewers, events};
use cache_http::streamed::received;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::timeout;

use super::shown::Shown;
use super::watch::LiveEvent;
use crate::error::Result;
use crate::fault::Lever;
use crate::service_client::ServiceClient;
use crate::stop::{Stop, told};

/// A write may wait for a database that is paused, as long as the service lets it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a viewer may take no event until the place is another's.
const SILENCE_MAX: Duration = Duration::from_secs(10);

const EVENTS_PATH: &str = "/events";
const DATABASE_PATH: &str = "/database";
const REDIS_PATH: &str = "/redis";

/// What the page is about.
#[derive(Debug)]
pub(super) struct Controls {
    services: Vec<Shown>,
    database: Pause,
    redis: Pause,
    told: watch::Receiver<LiveEvent>,
    viewers: Viewers,
    stop: Stop,
}

/// What the levers of one kind do together.
#[derive(Debug)]
struct Pause {
    levers: Vec<Lever>,
    /// Held while they are being moved.
    paused: Mutex<watch::Sender<bool>>,
}

impl Pause {
    fn new(levers: Vec<Lever>) -> (Pause, Option<watch::Receiver<bool>>) {
        let (paused, is_paused) = watch::channel(false);
        let is_paused = (!levers.is_empty()).then_some(is_paused);
        let paused = Mutex::new(paused);
        (Pause { levers, paused }, is_paused)
    }

    /// Both or neither: where one cannot be paused, all go on.
    async fn set(&self, paused: bool) -> Result<()> {
        let told = self.paused.lock().await;
        if paused && let Err(error) = self.make_unavailable().await {
            // What cannot be put right, either, the page tells at the next try.
            let _ = self.put_back().await;
            return Err(error);
        }
        if !paused {
            self.put_back().await?;
        }
        told.send_replace(paused);
        Ok(())
    }

    async fn make_unavailable(&self) -> Result<()> {
        for lever in &self.levers {
            lever.outage().await?;
        }
        Ok(())
    }

    /// All that can be put back, also where one cannot.
    async fn put_back(&self) -> Result<()> {
        let mut outcome = Ok(());
        for lever in &self.levers {
            outcome = outcome.and(lever.restore().await);
        }
        outcome
    }
}

impl Controls {
    /// Over these services. What the tool has a lever to can be paused.
    pub(super) async fn over(services: &[Shown], stop: Stop) -> Controls {
        let (mut databases, mut redis) = (Vec::new(), Vec::new());
        for service in services {
            let running = service.running.lock().await;
            let running = running.as_ref();
            databases.extend(running.and_then(|one| one.database_lever().cloned()));
            redis.extend(running.and_then(|one| one.redis_lever().cloned()));
        }
        let (database, database_paused) = Pause::new(databases);
        let (redis, redis_paused) = Pause::new(redis);
        Controls {
            told: super::watch::start(services, database_paused, redis_paused),
            services: services.to_vec(),
            database,
            redis,
            viewers: Viewers::new(),
            stop,
        }
    }

    fn find(&self, name: &str) -> Option<&Shown> {
        let mut services = self.services.iter();
        services.find(|service| service.pattern.name() == name)
    }
}

/// Adds the routes.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .route("/", web::get().to(show))
        .route(EVENTS_PATH, web::get().to(watch_services))
        .route("/services/{service}/write", web::post().to(write))
        .route("/services/{service}/kill", web::post().to(kill))
        .route(DATABASE_PATH, web::post().to(pause_database))
        .route(REDIS_PATH, web::post().to(pause_redis));
}

async fn show(controls: Data<Controls>) -> HttpResponse {
    page(&PageConfig {
        title: "write-through and write-behind, live".to_owned(),
        services: controls
            .services
            .iter()
            .map(|service| {
                let url = |what| format!("/services/{}/{what}", service.pattern.name());
                WatchedService {
                    name: service.pattern.name().to_owned(),
                    write_url: Some(url("write")),
                    kill_url: service.is_own.then(|| url("kill")),
                }
            })
            .collect(),
        events_url: EVENTS_PATH.to_owned(),
        database_url: (!controls.database.levers.is_empty()).then(|| DATABASE_PATH.to_owned()),
        redis_url: (!controls.redis.levers.is_empty()).then(|| REDIS_PATH.to_owned()),
    })
}

async fn watch_services(controls: Data<Controls>) -> HttpResponse {
    let Some(place) = controls.viewers.enter() else {
        return HttpResponse::ServiceUnavailable()
            .body(format!("{VIEWERS_MAX} others watch already"));
    };
    // Whatever of it is not taken is of no use later.
    let (sender, receiver) = mpsc::channel(1);
    let (told, stop) = (controls.told.clone(), controls.stop.clone());
    tokio::spawn(tell(told, stop, place, sender));
    events(received(receiver))
}

/// Tells one viewer what there is to tell until the viewer is gone, takes nothing for too long,
/// or the page is served no longer. The place is free then.
async fn tell(
    mut events: watch::Receiver<LiveEvent>,
    mut stop: Stop,
    _place: Place,
    viewer: mpsc::Sender<LiveEvent>,
) {
    loop {
        tokio::select! {
            () = told(&mut stop) => return,
            () = viewer.closed() => return,
            changed = events.changed() => if changed.is_err() {
                return;
            },
        }
        let event = events.borrow_and_update().clone();
        let sent = tokio::select! {
            () = told(&mut stop) => return,
            sent = timeout(SILENCE_MAX, viewer.send(event)) => sent,
        };
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// Passes a record on to the service, and its answer back.
async fn write(controls: Data<Controls>, service: Path<String>, body: Bytes) -> HttpResponse {
    let Some(service) = controls.find(&service) else {
        return HttpResponse::NotFound().body("there is no such service");
    };
    let mut client = ServiceClient::new(service.address, WRITE_TIMEOUT);
    let pattern = service.pattern;
    match client.post_json(pattern.write_path(), body).await {
        Ok(reply) => {
            let status = StatusCode::from_u16(reply.status.as_u16());
            let mut response = HttpResponse::build(status.unwrap_or(StatusCode::BAD_GATEWAY));
            if let Some(kind) = reply.headers.get("content-type") {
                response.insert_header((CONTENT_TYPE, kind.as_bytes()));
            }
            response.body(reply.body)
        }
        Err(why) => HttpResponse::BadGateway().body(why),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedPause {
    paused: bool,
}

async fn pause_database(controls: Data<Controls>, wanted: Json<WantedPause>) -> impl Responder {
    pause(&controls.database, &wanted).await
}

async fn pause_redis(controls: Data<Controls>, wanted: Json<WantedPause>) -> impl Responder {
    pause(&controls.redis, &wanted).await
}

async fn pause(what: &Pause, wanted: &WantedPause) -> HttpResponse {
    if what.levers.is_empty() {
        return HttpResponse::NotFound().body("that is out of this tool's reach");
    }
    match what.set(wanted.paused).await {
        Ok(()) => HttpResponse::Ok().json(serde_json::json!({ "paused": wanted.paused })),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedKill {
    killed: bool,
}

/// Kills a service as `kill -9` does, or starts it again where it was.
async fn kill(
    controls: Data<Controls>,
    service: Path<String>,
    wanted: Json<WantedKill>,
) -> impl Responder {
    let found = controls.find(&service).filter(|service| service.is_own);
    let Some(service) = found else {
        return HttpResponse::NotFound().body("there is no such service that the tool has started");
    };
    let mut running = service.running.lock().await;
    let Some(running) = running.as_mut() else {
        return HttpResponse::ServiceUnavailable().body("the tool is ending");
    };
    let done = match wanted.killed {
        true => running.kill().await,
        false => running.restart().await,
    };
    match done {
        Ok(()) => HttpResponse::Ok().json(serde_json::json!({ "killed": wanted.killed })),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_viewer_that_reads_nothing_loses_its_place() {
        let viewers = Viewers::new();
        let (events, told) = watch::channel(LiveEvent::default());
        let (_stop, stop) = watch::channel(false);
        let (sender, _never_read) = mpsc::channel(1);
        let place = viewers.enter().unwrap();
        let others: Vec<Place> = std::iter::from_fn(|| viewers.enter()).collect();
        assert_eq!(others.len(), VIEWERS_MAX - 1);
        let began = Instant::now();
        let telling = tokio::spawn(tell(told, stop, place, sender));
        let happening = tokio::spawn(async move {
            loop {
                events.send_replace(LiveEvent::default());
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        timeout(Duration::from_secs(60), telling)
            .await
            .unwrap()
            .unwrap();
        assert!(began.elapsed() >= SILENCE_MAX, "{:?}", began.elapsed());
        assert!(viewers.enter().is_some());
        happening.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_viewer_that_reads_keeps_its_place() {
        let (events, told) = watch::channel(LiveEvent::default());
        let (stopping, stop) = watch::channel(false);
        let (sender, mut viewer) = mpsc::channel(1);
        let place = Viewers::new().enter().unwrap();
        let telling = tokio::spawn(tell(told, stop, place, sender));
        for _ in 0..60 {
            events.send_replace(LiveEvent::default());
            assert!(viewer.recv().await.is_some());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        stopping.send_replace(true);
        telling.await.unwrap();
        assert!(viewer.recv().await.is_none());
    }
}
