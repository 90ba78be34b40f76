//! `Cache-Status` (RFC 9211): where the answer to a read came from.

use cache_core::engine::Read;
use cache_core::model::source::Source;
use cache_core::settings::Service;

/// RFC 9211.
pub(crate) fn cache_status(service: Service, read: &Read) -> &'static str {
    // Written out, so that no text is made for each answer.
    macro_rules! by {
        ($service:literal) => {
            match read.source {
                Source::Hit => concat!($service, "; hit"),
                Source::Miss { stored: true } => concat!($service, "; fwd=miss; stored"),
                Source::Miss { stored: false } => concat!($service, "; fwd=miss"),
                Source::Collapsed => concat!($service, "; fwd=miss; collapsed"),
                Source::Requested { stored: true } => concat!($service, "; fwd=request; stored"),
                Source::Requested { stored: false } => concat!($service, "; fwd=request"),
                Source::InDoubt => concat!($service, "; fwd=bypass; detail=in-doubt"),
                Source::Bypass => concat!($service, "; fwd=bypass; detail=bypass"),
            }
        };
    }
    match service {
        Service::WriteThrough => by!("write-through"),
        Service::WriteBehind => by!("write-behind"),
    }
}
