//! A service that the page shows.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::pattern::Pattern;
use crate::site::RunningService;

/// A service that can be killed and restarted, where the tool has started it.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) pattern: Pattern,
    pub(super) address: SocketAddr,
    pub(super) is_own: bool,
    pub(super) running: Arc<Mutex<Option<RunningService>>>,
}

impl Shown {
    pub(super) fn new(service: RunningService) -> Shown {
        Shown {
            pattern: service.pattern(),
            address: service.address(),
            is_own: service.pid().is_some(),
            running: Arc::new(Mutex::new(Some(service))),
        }
    }
}
