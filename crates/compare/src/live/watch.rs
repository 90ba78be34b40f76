//! How both services are, again and again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use cache_http::dashboard::EVENT_PERIOD;
use cache_http::figures::{Sampler, Snapshot};
use cache_http::live::{Event, ServiceEvent};
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::pattern::Pattern;
use crate::service_client::ServiceClient;

/// How long a service may take to give its figures; it counts as unavailable then.
const PATIENCE: Duration = Duration::from_millis(900);

/// A service that is asked for its figures.
#[derive(Debug)]
struct Watched {
    pattern: Pattern,
    client: ServiceClient,
    sampler: Sampler,
}

/// Asks the services for their figures for as long as there is a receiver. `paused` says
/// whether the databases are paused, where the tool can pause them.
pub(super) fn start(
    services: &[(Pattern, SocketAddr)],
    paused: Option<watch::Receiver<bool>>,
) -> watch::Receiver<Event> {
    let mut services: Vec<Watched> = services
        .iter()
        .map(|(pattern, address)| Watched {
            pattern: *pattern,
            client: ServiceClient::new(*address, PATIENCE),
            sampler: Sampler::new(),
        })
        .collect();
    let (sender, receiver) = watch::channel(Event::now(Vec::new()));
    tokio::spawn(async move {
        let mut ticks = interval(EVENT_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !sender.is_closed() {
            ticks.tick().await;
            let events = join_all(services.iter_mut().map(look)).await;
            let mut event = Event::now(events);
            event.database_paused = paused.as_ref().map(|paused| *paused.borrow());
            sender.send_replace(event);
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
