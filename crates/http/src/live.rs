//! What the dashboard is sent while it is open: events, those of the last minutes, and who may watch.

mod event;
mod recent;
mod stream;
mod viewers;

pub use event::{Event, ServiceEvent};
pub use recent::Recent;
pub use stream::events;
pub(crate) use stream::{Moment, frame, frames};
pub use viewers::{Place, VIEWERS_MAX, Viewers};
