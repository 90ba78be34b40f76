//! `/dashboard`: a page that shows what the service does, as it does it.
//!
//! The page knows nothing of the service but a list of names and addresses, so that one page can show two
//! services side by side. A server that does so, as the comparison tool, merges the events of both.

mod page;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, http::Method};
use bytes::Bytes;
use cache_core::settings::Dashboard;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

pub use page::{PageConfig, WatchedService, page};

use crate::description::{Answer, Call, PAGE, Tag};
use crate::figures::{Figures, ParseError, Sampler, Snapshot};
use crate::live::{Event, Moment, Place, Recent, ServiceEvent, VIEWERS_MAX, frame, frames};
use crate::problem::{Kind, Problem};
use crate::resource::{Right, Routes, get, resource};
use crate::state::State;
use crate::streamed::received;

/// How often a page gets an event with the figures.
pub const EVENT_PERIOD: Duration = Duration::from_secs(1);

/// How often that is noted while there is no viewer.
const UNWATCHED_PERIOD: Duration = Duration::from_secs(5);

/// How long a viewer may take no event until the place is another's.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// How long after being refused a viewer may ask again, in seconds.
const RETRY_AFTER_S: u64 = 5;

/// Where the page is.
pub(crate) const PATH: &str = "/dashboard";
const EVENTS_PATH: &str = "/dashboard/events";

/// Adds the page and its events, unless they are switched off.
pub(crate) fn configure(routes: &mut Routes, shown: Dashboard) {
    if shown != Dashboard::Off {
        resource(
            routes,
            PATH,
            "GET, HEAD",
            vec![get(Right::Anyone, show, show_call)],
        );
        resource(
            routes,
            EVENTS_PATH,
            "GET, HEAD",
            vec![get(Right::Read, watch, watch_call)],
        );
    }
}

fn show_call() -> Call {
    Call::new(
        Tag::State,
        "showDashboard",
        "A live page of what the service does",
    )
    .text("With `DASHBOARD=off` there is none.")
    .answers(Answer::ok("The page.").text("text/html", None))
    .refuses(PAGE)
}

fn watch_call() -> Call {
    let event = Event {
        at_ms: 1_764_522_030_123,
        services: vec![ServiceEvent {
            name: "write-through".to_owned(),
            reachable: true,
            figures: Some(Figures::default()),
        }],
        database_paused: None,
    };
    let json = serde_json::to_vec(&event).unwrap_or_default();
    let frame = frame(Moment::Now, &json);
    let mut answer = Answer::ok(
        "Server-sent events without end. The `data` of each is an `Event`. Those of the last five minutes come first.",
    );
    answer.schema::<Event>();
    Call::new(
        Tag::State,
        "watchDashboard",
        "The figures of that page, each second",
    )
    .text("At most 16 clients watch at the same time.")
    .answers(answer.text("text/event-stream", str::from_utf8(&frame).ok()))
    .refuses(PAGE)
}

async fn show(state: Data<State>) -> HttpResponse {
    let name = state.service.name();
    page(&PageConfig {
        title: format!("{name}, live"),
        services: vec![WatchedService {
            name: name.to_owned(),
            write_url: (state.dashboard == Dashboard::On).then(|| format!("/{name}")),
            kill_url: None,
        }],
        events_url: EVENTS_PATH.to_owned(),
        database_url: None,
        redis_url: None,
    })
}

/// `503` while as many watch as may.
async fn watch(state: Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    if request.method() == Method::HEAD {
        return Ok(frames(futures_util::stream::empty()));
    }
    let Some(place) = state.viewers.enter() else {
        let detail = format!("{VIEWERS_MAX} others watch already");
        return Err(Problem::passing(Kind::Overloaded, detail, RETRY_AFTER_S));
    };
    // What is not taken of it is of no use later.
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(tell(state.recent.clone(), place, sender));
    Ok(frames(received(receiver)))
}

/// Tells one viewer how the service has been lately, and then how it is, until the viewer is gone, takes
/// nothing for too long, or the service stops.
async fn tell(recent: Recent, mut place: Place, viewer: mpsc::Sender<Bytes>) {
    let (past, mut newest) = recent.follow();
    for frame in past {
        if !send(&mut place, &viewer, frame).await {
            return;
        }
    }
    loop {
        tokio::select! {
            () = place.ended() => return,
            () = viewer.closed() => return,
            changed = newest.changed() => if changed.is_err() {
                return;
            },
        }
        let frame = newest.borrow_and_update().clone();
        if !send(&mut place, &viewer, frame).await {
            return;
        }
    }
}

/// Returns whether the viewer has taken it.
async fn send(place: &mut Place, viewer: &mpsc::Sender<Bytes>, frame: Bytes) -> bool {
    let sent = tokio::select! {
        () = place.ended() => return false,
        sent = timeout(SILENCE_MAX, viewer.send(frame)) => sent,
    };
    matches!(sent, Ok(Ok(())))
}

/// Notes regularly how the service is, so that a page that is opened has the last minutes.
pub(crate) async fn keep(state: Data<State>) {
    if state.dashboard == Dashboard::Off {
        return;
    }
    let mut sampler = Sampler::new();
    let mut are_readable = true;
    let mut sampled_at = None::<Instant>;
    let mut ticks = interval(EVENT_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let began = ticks.tick().await.into_std();
        let is_due = sampled_at.is_none_or(|at| is_due(began - at, state.viewers.are_there()));
        if !is_due {
            continue;
        }
        sampled_at = Some(began);
        match sample(&state, &mut sampler).await {
            Ok(event) => {
                are_readable = true;
                event.iter().for_each(|event| state.recent.push(event));
            }
            Err(error) if are_readable => {
                are_readable = false;
                tracing::error!(%error, "the service's own metrics cannot be read");
            }
            Err(_) => {}
        }
    }
}

/// Whether it is time for a sample, so long after the last one.
fn is_due(since: Duration, is_watched: bool) -> bool {
    // A tick may come a little early.
    is_watched || since + EVENT_PERIOD / 2 >= UNWATCHED_PERIOD
}

/// How the service is; `None` at the first look, which there is nothing to compare with.
///
/// # Errors
/// When the metrics cannot be read.
async fn sample(state: &State, sampler: &mut Sampler) -> Result<Option<Event>, ParseError> {
    state.observe().await;
    let metrics = state.metrics.clone();
    // It takes milliseconds, for which nothing else is to wait.
    let read = tokio::task::spawn_blocking(move || Snapshot::parse(&metrics.render()));
    let Ok(snapshot) = read.await else {
        return Ok(None);
    };
    let Some(mut figures) = sampler.read(Instant::now(), snapshot?) else {
        return Ok(None);
    };
    figures.explain(&state.outages.states());
    Ok(Some(Event::now(vec![ServiceEvent {
        name: state.service.name().to_owned(),
        reachable: true,
        figures: Some(figures),
    }])))
}
