//! The table of routes, by which a server is made and its document is written.

use actix_web::http::Method;
use actix_web::web::{Data, ServiceConfig};

use super::call::Call;
use crate::auth::Right;

/// The routes of a service, and what each call does.
#[derive(Default)]
pub struct Routes {
    additions: Vec<Addition>,
    described: Vec<Described>,
}

/// Adds something to a server.
type Addition = Box<dyn FnOnce(&mut ServiceConfig)>;

/// A call of a route.
pub(crate) struct Described {
    pub(crate) path: &'static str,
    pub(crate) method: Method,
    pub(crate) right: Right,
    pub(crate) call: fn() -> Call,
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let calls = self.described.iter();
        formatter
            .debug_list()
            .entries(calls.map(|call| (&call.method, call.path)))
            .finish()
    }
}

impl Routes {
    /// Gives handlers something that they share.
    pub fn share<T: ?Sized + 'static>(&mut self, data: Data<T>) {
        self.add(|config| {
            config.app_data(data);
        });
    }

    /// Adds the routes to a server.
    pub fn configure(self, config: &mut ServiceConfig) {
        for add in self.additions {
            add(config);
        }
    }

    /// All calls, in the order in which they were added.
    pub(crate) fn described(&self) -> &[Described] {
        &self.described
    }

    /// Describes a call, if there is one.
    pub(crate) fn describe(&mut self, call: Option<Described>) {
        self.described.extend(call);
    }

    /// Adds something to a server.
    pub(crate) fn add(&mut self, addition: impl FnOnce(&mut ServiceConfig) + 'static) {
        self.additions.push(Box::new(addition));
    }
}
