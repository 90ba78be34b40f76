//! The page, its events, and what its buttons do.

use std::net::SocketAddr;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes, Data, Json, Path, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use cache_http::dashboard::{Event, PageConfig, Place, VIEWERS_MAX, Viewers, WatchedService};
use cache_http::dashboard::{events, page};
use futures_util::stream;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

use crate::error::Result;
use crate::fault::Lever;
use crate::pattern::Pattern;
use crate::service_client::ServiceClient;
use crate::site::RunningService;
use crate::stop::{Stop, told};

/// A write may wait for a database that is paused, as long as the service lets it.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

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

    async fn pause(&self, paused: bool) -> Result<()> {
        let told = self.paused.lock().await;
        for lever in &self.levers {
            if paused {
                lever.outage().await?;
            } else {
                lever.restore().await?;
            }
        }
        told.send_replace(paused);
        Ok(())
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
                write_url: format!("/services/{}/write", pattern.name()),
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
    let viewer = Viewer {
        told: controls.told.clone(),
        stop: controls.stop.clone(),
        _place: place,
    };
    events(stream::unfold(viewer, |mut viewer| async {
        let event = viewer.next().await?;
        Some((event, viewer))
    }))
}

struct Viewer {
    told: watch::Receiver<Event>,
    stop: Stop,
    _place: Place,
}

impl Viewer {
    /// `None` when there will be no more.
    async fn next(&mut self) -> Option<Event> {
        tokio::select! {
            () = told(&mut self.stop) => None,
            changed = self.told.changed() => {
                changed.ok()?;
                Some(self.told.borrow_and_update().clone())
            }
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
