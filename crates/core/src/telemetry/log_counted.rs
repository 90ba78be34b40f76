//! Errors that the HTTP server reports of single requests: any client can cause any number of them, so
//! they are counted, and each is a line of its own at debug level only.

use std::fmt::{Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::telemetry::repeated;

/// Where such errors come from, and what a line says of them.
const SOURCES: &[(&str, &str)] = &[
    ("actix_http", "requests could not be read or answered"),
    ("actix_server::accept", "connections could not be accepted"),
];

/// Counts them.
pub(super) struct Counted;

impl<S: Subscriber> Layer<S> for Counted {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN || LevelFilter::current() >= LevelFilter::DEBUG {
            return true;
        }
        let mut sources = SOURCES.iter();
        let Some((_, what)) = sources.find(|(source, _)| metadata.target().starts_with(source))
        else {
            return true;
        };
        let mut message = Message::default();
        event.record(&mut message);
        repeated::counted(what, &message.0, 1);
        false
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}
