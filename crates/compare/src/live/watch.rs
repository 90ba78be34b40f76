//! How both services are, again and again.

use std::time::{Duration, Instant};

use cache_http::dashboard::EVENT_PERIOD;
use cache_http::figures::{Sampler, Snapshot};
use cache_http::live::{Event, ServiceEvent};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::shown::Shown;
use super::words;
use crate::pattern::Pattern;
use crate::service_client::ServiceClient;

/// How long a service may take to give its figures; it counts as unavailable then.
const WAIT_TIMEOUT: Duration = Duration::from_millis(900);

/// What the page is told each second.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LiveEvent {
    #[serde(flatten)]
    pub(super) event: Event,
    /// What is happening, in words.
    pub(super) words: String,
    /// Whether Redis is paused, where the tool can pause it.
    pub(super) redis_paused: Option<bool>,
}

impl Default for LiveEvent {
    fn default() -> LiveEvent {
        LiveEvent {
            event: Event::now(Vec::new()),
            words: String::new(),
            redis_paused: None,
        }
    }
}

/// A service that is asked for its figures.
#[derive(Debug)]
struct Watched {
    pattern: Pattern,
    client: ServiceClient,
    sampler: Sampler,
}

/// Asks the services for their figures for as long as there is a receiver. The others say what is
/// paused, where the tool can pause it.
pub(super) fn start(
    services: &[Shown],
    database_paused: Option<watch::Receiver<bool>>,
    redis_paused: Option<watch::Receiver<bool>>,
) -> watch::Receiver<LiveEvent> {
    let services = services.iter().map(|service| Watched {
        pattern: service.pattern,
        client: ServiceClient::new(service.address, WAIT_TIMEOUT),
        sampler: Sampler::new(),
    });
    let mut services: Vec<Watched> = services.collect();
    let (sender, receiver) = watch::channel(LiveEvent::default());
    tokio::spawn(async move {
        let is = |paused: &Option<watch::Receiver<bool>>| paused.as_ref().map(|one| *one.borrow());
        let mut ticks = interval(EVENT_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !sender.is_closed() {
            ticks.tick().await;
            let events = join_all(services.iter_mut().map(look)).await;
            let mut event = Event::now(events);
            event.database_paused = is(&database_paused);
            let redis_paused = is(&redis_paused);
            sender.send_replace(LiveEvent {
                words: words::of(&event, redis_paused == Some(true)),
                event,
                redis_paused,
            });
        }
    });
    receiver
}

async fn look(service: &mut Watched) -> ServiceEvent {
    let snapshot = match service.client.get("/metrics").await {
        Ok(reply) if reply.status.is_success() => std::str::from_utf8(&reply.body)
            .ok()
            .and_then(|text| Snapshot::parse(text).ok()),
        _ => None,
    };
    let reachable = snapshot.is_some();
    ServiceEvent {
        name: service.pattern.name().to_owned(),
        reachable,
        figures: snapshot.and_then(|snapshot| service.sampler.read(Instant::now(), snapshot)),
    }
}
