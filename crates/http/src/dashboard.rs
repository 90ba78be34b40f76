//! `/dashboard`: a page that shows what the service does, as it does it.
//!
//! The page knows nothing of the service but a list of names and addresses, so that one page can show two
//! services side by side; whoever serves it that way makes the events of both.

mod event;
mod page;
mod stream;
#[cfg(test)]
mod tests;
mod viewers;

use std::time::{Duration, Instant};

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, http::Method};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

pub use event::{Event, ServiceEvent};
pub use page::{PageConfig, WatchedService, page};
pub use stream::events;
pub use viewers::{Place, VIEWERS_MAX, Viewers};

use crate::figures::{Sampler, Snapshot};
use crate::problem::{Kind, Problem};
use crate::resource::{get, resource};
use crate::state::State;

/// How often a page is told how things are.
pub const EVENT_PERIOD: Duration = Duration::from_secs(1);

/// How long a viewer may take no event until the place is another's.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// How long after being refused a viewer may ask again, in seconds.
const RETRY_AFTER_S: u64 = 5;

const EVENTS_PATH: &str = "/dashboard/events";

/// Adds the page and its events.
pub fn configure(config: &mut ServiceConfig) {
    resource(config, "/dashboard", "GET, HEAD", vec![get(show)]);
    resource(config, EVENTS_PATH, "GET, HEAD", vec![get(watch)]);
}

async fn show(state: Data<State>) -> HttpResponse {
    let name = state.service.name();
    page(&PageConfig {
        title: format!("{name}, live"),
        services: vec![WatchedService {
            name: name.to_owned(),
            write_url: format!("/{name}"),
        }],
        events_url: EVENTS_PATH.to_owned(),
        database_url: None,
    })
}

/// `503` while as many watch as may.
async fn watch(state: Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    if request.method() == Method::HEAD {
        return Ok(events(futures_util::stream::empty::<Event>()));
    }
    let Some(place) = state.viewers.enter() else {
        let detail = format!("{VIEWERS_MAX} others watch already");
        return Err(Problem::passing(Kind::Overloaded, detail, RETRY_AFTER_S));
    };
    // Whatever of it is not taken is of no use later.
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(tell(state.into_inner().as_ref().clone(), place, sender));
    let received = futures_util::stream::unfold(receiver, |mut receiver| async {
        let event = receiver.recv().await?;
        Some((event, receiver))
    });
    Ok(events(received))
}

/// Tells one viewer how the service is until the viewer is gone, takes nothing for too long, or the service
/// stops. Nothing is read off while nobody watches.
async fn tell(state: State, mut place: Place, viewer: mpsc::Sender<Event>) {
    let mut sampler = Sampler::new();
    let mut ticks = interval(EVENT_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = place.ended() => return,
            () = viewer.closed() => return,
            _ = ticks.tick() => {}
        }
        let sample = sample(&state, &mut sampler);
        let event = tokio::select! {
            () = place.ended() => return,
            event = sample => event,
        };
        let Some(event) = event else { continue };
        let sent = tokio::select! {
            () = place.ended() => return,
            sent = timeout(SILENCE_MAX, viewer.send(event)) => sent,
        };
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// How the service is; `None` at the first look, which there is nothing to compare with.
async fn sample(state: &State, sampler: &mut Sampler) -> Option<Event> {
    state.engine.observe().await;
    let snapshot = match Snapshot::parse(&state.metrics.render()) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            tracing::error!(%error, "the service's own metrics cannot be read");
            return None;
        }
    };
    let figures = sampler.read(Instant::now(), snapshot)?;
    Some(Event::now(vec![ServiceEvent {
        name: state.service.name().to_owned(),
        reachable: true,
        figures: Some(figures),
    }]))
}
