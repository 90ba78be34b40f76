//! The connections to one database: opened when they are needed, lent to one caller at a
//! time, and never more of them than the server admits.
//!
//! A server may admit fewer than the pool would like (`max_connections`,
//! `max_user_connections`), and other processes share that limit. A caller that gets no new
//! connection then waits for one that is given back, as long as there is one. The pool
//! tries to grow again now and then.

mod size;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::connector::NotConnected;
use crate::concurrency::own_thread::{self, Home};
use crate::error::{Error, Part, Result};
use crate::timing;
use size::Size;

/// What opens the connections of a pool.
pub(super) trait Opens: Send + Sync + 'static {
    /// A connection.
    type Connection: Send + 'static;

    /// Opens a connection that is ready for use.
    fn open(
        &self,
    ) -> impl Future<Output = std::result::Result<Self::Connection, NotConnected>> + Send;

    /// Whether the server answers on a connection. May wait without end.
    fn answers(connection: &mut Self::Connection) -> impl Future<Output = bool> + Send;
}

/// The connections to one database.
pub(super) struct Pool<O: Opens> {
    shared: Arc<Shared<O>>,
}

struct Shared<O: Opens> {
    opener: O,
    /// One for each connection that may be lent at the same time. Fair: first come, first
    /// served.
    permits: Arc<Semaphore>,
    state: Mutex<State<O::Connection>>,
}

struct State<C> {
    /// The one that was used last is at the end, and lent first: those that are not needed
    /// end at the server's `wait_timeout`, and leave their places to other processes.
    idle: Vec<Idle<C>>,
    /// How many there are: idle, lent, or being opened.
    open: usize,
    size: Size,
    /// When this process last closed a connection that the server may still count.
    closed_at: Instant,
}

struct Idle<C> {
    connection: C,
    since: Instant,
    home: Home,
}

impl<C> State<C> {
    /// An idle connection for a caller on the runtime `home`. One that was opened on another
    /// is driven there, and each answer would wake that: so it is taken only where there is
    /// no room for another connection.
    fn take_idle(&mut self, home: &Home) -> Option<Idle<C>> {
        match self.idle.iter().rposition(|idle| idle.home == *home) {
            Some(place) => Some(self.idle.remove(place)),
            None if self.open < self.size.now() => None,
            None => self.idle.pop(),
        }
    }

    /// The idle connections that are to be closed, which do not count any more.
    fn discard(&mut self, is_unwanted: impl Fn(&Idle<C>) -> bool) -> Vec<Idle<C>> {
        let discarded: Vec<Idle<C>> = self.idle.extract_if(.., |idle| is_unwanted(idle)).collect();
        if !discarded.is_empty() {
            self.open -= discarded.len();
            self.closed_at = Instant::now();
        }
        discarded
    }
}

impl<O: Opens> Clone for Pool<O> {
    fn clone(&self) -> Pool<O> {
        Pool {
            shared: self.shared.clone(),
        }
    }
}

impl<O: Opens> Pool<O> {
    /// A pool of at most `max` connections, of which none is open.
    pub(super) fn new(opener: O, max: usize) -> Pool<O> {
        let size = Size::new(max);
        let state = State {
            idle: Vec::new(),
            open: 0,
            // The one that the caller has looked at the database with.
            closed_at: Instant::now(),
            size,
        };
        Pool {
            shared: Arc::new(Shared {
                opener,
                permits: Arc::new(Semaphore::new(max)),
                state: Mutex::new(state),
            }),
        }
    }

    /// Lends a connection; waits until there is one. The caller limits how long.
    ///
    /// # Errors
    /// When none can be opened, unless there are others that can be waited for.
    pub(super) async fn lend(&self) -> Result<Lent<O>> {
        loop {
            let mut place = Place {
                permit: Some(self.permit().await?),
                shared: self.shared.clone(),
                is_counted: true,
            };
            let home = own_thread::home();
            let (idle, undriven) = {
                let mut state = self.shared.state();
                let undriven = state.discard(|idle| !idle.home.is_there());
                let idle = state.take_idle(&home);
                if idle.is_none() {
                    state.open += 1;
                }
                (idle, undriven)
            };
            drop(undriven);
            if let Some(Idle {
                connection,
                since,
                home,
            }) = idle
            {
                let mut lent = Lent::new(connection, home, place, true);
                if since.elapsed() <= timing::MYSQL_TRUSTED_IDLE_LIFETIME || lent.answers().await {
                    return Ok(lent);
                }
                drop(lent);
                // The others are as likely dead.
                self.discard_idle();
                continue;
            }
            match self.shared.opener.open().await {
                Ok(connection) => {
                    let mut state = self.shared.state();
                    let open = state.open;
                    state.size.opened(open);
                    drop(state);
                    return Ok(Lent::new(connection, home, place, false));
                }
                Err(NotConnected::NoRoom(reason)) => match self.refused(&mut place, &reason) {
                    Refused::WaitForOthers => {}
                    // The permit is kept, so that the callers behind wait as well.
                    Refused::WaitForServer => sleep(timing::MYSQL_CLOSING_INTERVAL).await,
                    Refused::Fail => return Err(Error::unavailable(Part::Database, reason)),
                },
                // What ends a start is as any other outage in a service that runs.
                Err(error) => return Err(Error::unavailable(Part::Database, error)),
            }
        }
    }

    /// What to do where the server admits no connection in this place.
    fn refused(&self, place: &mut Place<O>, reason: &str) -> Refused {
        let mut state = self.shared.state();
        place.is_counted = false;
        state.open -= 1;
        let open = state.open;
        if open == 0 {
            return match state.closed_at.elapsed() < timing::MYSQL_CLOSING_TIMEOUT {
                true => Refused::WaitForServer,
                false => Refused::Fail,
            };
        }
        // IMPORTANT: this permit is not released, or the next caller in the queue would only be
        // refused as well.
        if let Some(permit) = place.permit.take() {
            permit.forget();
        }
        let others = state.size.refused(open, reason);
        let forgotten = self.shared.permits.forget_permits(others);
        state.size.shrunk_by(forgotten);
        Refused::WaitForOthers
    }

    /// Waits for the right to have a connection.
    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        let permit = self.shared.permits.clone().acquire_owned();
        let mut permit = pin!(permit);
        loop {
            let grows_at = {
                let mut state = self.shared.state();
                self.shared.permits.add_permits(state.size.grow());
                state.size.grows_at()
            };
            let grows = async {
                match grows_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                permit = &mut permit => return permit.map_err(|_| Error::Stopping),
                () = grows => {}
            }
        }
    }

    /// How many connections are idle, how many are lent or being opened, and how many there may be.
    pub(super) fn usage(&self) -> (usize, usize, usize) {
        let state = self.shared.state();
        let idle = state.idle.len();
        (idle, state.open.saturating_sub(idle), state.size.now())
    }

    /// Closes all connections that are not lent.
    pub(super) fn discard_idle(&self) {
        let discarded = self.shared.state().discard(|_| true);
        drop(discarded);
    }
}

impl<O: Opens> Shared<O> {
    fn state(&self) -> MutexGuard<'_, State<O::Connection>> {
        // What is done under the lock does not panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a caller does when the server refuses a connection.
enum Refused {
    /// Waits for one of the others that there are.
    WaitForOthers,
    /// Tries again soon: the server may count one that has just been closed.
    WaitForServer,
    /// Fails: there is nothing to wait for.
    Fail,
}

/// The right to have one connection, and its place in the count of those that are there.
struct Place<O: Opens> {
    shared: Arc<Shared<O>>,
    is_counted: bool,
    // Released after the place was left.
    permit: Option<OwnedSemaphorePermit>,
}

impl<O: Opens> Drop for Place<O> {
    fn drop(&mut self) {
        if self.is_counted {
            self.shared.state().open -= 1;
        }
    }
}

/// A connection that goes back to its pool only when it is given back. One that is dropped
/// in the middle of a query is out of step with its server, so it is closed: its next user
/// would get this one's answer.
pub(super) struct Lent<O: Opens> {
    /// None once it was given back.
    connection: Option<O::Connection>,
    home: Home,
    was_used: bool,
    place: Place<O>,
}

impl<O: Opens> Lent<O> {
    fn new(connection: O::Connection, home: Home, place: Place<O>, was_used: bool) -> Lent<O> {
        Lent {
            connection: Some(connection),
            home,
            was_used,
            place,
        }
    }

    /// The connection.
    ///
    /// # Errors
    /// Never, until it was given back.
    pub(super) fn connection(&mut self) -> Result<&mut O::Connection> {
        self.connection.as_mut().ok_or(Error::Panicked)
    }

    /// Whether it was lent before, so that the server may have ended it meanwhile.
    pub(super) fn was_used(&self) -> bool {
        self.was_used
    }

    /// Whether the server still answers on it.
    pub(super) async fn answers(&mut self) -> bool {
        match &mut self.connection {
            Some(connection) => timeout(timing::MYSQL_PING_TIMEOUT, O::answers(connection))
                .await
                .unwrap_or(false),
            None => false,
        }
    }

    /// Lets others have it.
    pub(super) fn give_back(mut self) {
        if let Some(connection) = self.connection.take() {
            let idle = Idle {
                connection,
                since: Instant::now(),
                home: self.home.clone(),
            };
            self.place.shared.state().idle.push(idle);
            self.place.is_counted = false;
        }
    }
}

impl<O: Opens> Drop for Lent<O> {
    fn drop(&mut self) {
        if self.connection.take().is_some() {
            self.place.shared.state().closed_at = Instant::now();
        }
    }
}
