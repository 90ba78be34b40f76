//! The page, its events, and what its buttons do.

use std::net::SocketAddr;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes, Data, Json, Path, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use cache_http::dashboard::{PageConfig, WatchedService, page};
use cache_http::live::{Event, Place, VIEWERS_MAX, Viewers, events};
use cache_http::streamed::received;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::timeout;

use crate::error::Result;
use crate::fault::Lever;
use crate::pattern::Pattern;
use crate::service_client::ServiceClient;
use crate::site::RunningService;
use crate::stop::{Stop, told};

/// A write may wait for a database that is paused, as long as the service lets it.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// How long a viewer may take no event until the place is another's.
const SILENCE_MAX: Duration = Duration::from_secs(10);

const EVENTS_PATH: &str = "/events";
const DATABASE_PATH: &str = "/database";

/// What the page is about.
#[derive(Debug)]
pub(super) struct Controls {
    services: Vec<(Pattern, SocketAddr)>,
    levers: Vec<Lever>,
    /// Held while the databases are being paused or resumed.
    paused: Mutex<watch::Sender<bool>>,
    told: watch::Receiver<Event>,
    viewers: Viewers,
    stop: Stop,
}

impl Controls {
    /// Over these services; their databases can be paused where the tool has a lever to each.
    pub(super) fn over(services: &[RunningService], stop: Stop) -> Controls {
        let levers: Vec<Lever> = services
            .iter()
            .filter_map(|service| service.database_lever().cloned())
            .collect();
        let addresses: Vec<(Pattern, SocketAddr)> = services
            .iter()
            .map(|service| (service.pattern(), service.address()))
            .collect();
        let (paused, is_paused) = watch::channel(false);
        let is_paused = (!levers.is_empty()).then_some(is_paused);
        Controls {
            told: super::watch::start(&addresses, is_paused),
            services: addresses,
            levers,
            paused: Mutex::new(paused),
            viewers: Viewers::new(),
            stop,
        }
    }

    /// Both or neither: where one cannot be paused, all go on.
    async fn pause(&self, paused: bool) -> Result<()> {
        let told = self.paused.lock().await;
        if paused && let Err(error) = self.take_away().await {
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

    async fn take_away(&self) -> Result<()> {
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

/// Adds the routes.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .route("/", web::get().to(show))
        .route(EVENTS_PATH, web::get().to(watch_services))
        .route("/services/{service}/write", web::post().to(write))
        .route(DATABASE_PATH, web::post().to(pause_database));
}

async fn show(controls: Data<Controls>) -> HttpResponse {
    page(&PageConfig {
        title: "write-through and write-behind, live".to_owned(),
        services: controls
            .services
            .iter()
            .map(|(pattern, _)| WatchedService {
                name: pattern.name().to_owned(),
                write_url: Some(format!("/services/{}/write", pattern.name())),
            })
            .collect(),
        events_url: EVENTS_PATH.to_owned(),
        database_url: (!controls.levers.is_empty()).then(|| DATABASE_PATH.to_owned()),
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
    mut events: watch::Receiver<Event>,
    mut stop: Stop,
    _place: Place,
    viewer: mpsc::Sender<Event>,
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
    let found = controls
        .services
        .iter()
        .find(|(pattern, _)| pattern.name() == service.as_str());
    let Some((pattern, address)) = found else {
        return HttpResponse::NotFound().body("there is no such service");
    };
    let mut client = ServiceClient::new(*address, WRITE_PATIENCE);
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
struct Wanted {
    paused: bool,
}

async fn pause_database(controls: Data<Controls>, wanted: Json<Wanted>) -> impl Responder {
    if controls.levers.is_empty() {
        return HttpResponse::NotFound().body("the databases are out of this tool's reach");
    }
    match controls.pause(wanted.paused).await {
        Ok(()) => HttpResponse::Ok().json(serde_json::json!({ "paused": wanted.paused })),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_for_ten_seconds_loses_the_place() {
        let viewers = Viewers::new();
        let (events, told) = watch::channel(Event::now(Vec::new()));
        let (_stop, stop) = watch::channel(false);
        let (sender, _never_read) = mpsc::channel(1);
        let place = viewers.enter().unwrap();
        let others: Vec<Place> = std::iter::from_fn(|| viewers.enter()).collect();
        assert_eq!(others.len(), VIEWERS_MAX - 1);
        let began = Instant::now();
        let telling = tokio::spawn(tell(told, stop, place, sender));
        let happening = tokio::spawn(async move {
            loop {
                events.send_replace(Event::now(Vec::new()));
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
    async fn who_takes_what_comes_is_told_for_as_long_as_it_does() {
        let (events, told) = watch::channel(Event::now(Vec::new()));
        let (stopping, stop) = watch::channel(false);
        let (sender, mut viewer) = mpsc::channel(1);
        let place = Viewers::new().enter().unwrap();
        let telling = tokio::spawn(tell(told, stop, place, sender));
        for _ in 0..60 {
            events.send_replace(Event::now(Vec::new()));
            assert!(viewer.recv().await.is_some());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        stopping.send_replace(true);
        telling.await.unwrap();
        assert!(viewer.recv().await.is_none());
    }
}
