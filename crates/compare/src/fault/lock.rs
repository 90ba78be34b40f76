//! Keeping a SQLite file's write lock from its service: a thread with a connection of its own.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::Disturbance;
use crate::error::{Error, Result};
use crate::sqlite::WriteLock;

/// How long the lock is asked for at most. The service has it for one transaction at a time.
const TAKE_MAX: Duration = Duration::from_secs(10);
/// How long the service's turn lasts at most: longer than SQLite sleeps at most, 100 ms, before
/// it looks again whether the lock is free.
const TURN_MAX: Duration = Duration::from_millis(120);
/// How often it is looked whether the lock is free, or the service has had its turn. Often enough
/// to be faster than the service, seldom enough to leave the processor to it.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Moves the lock. Dropping it releases the lock.
#[derive(Debug)]
pub(super) struct Locker {
    orders: Sender<Order>,
}

#[derive(Debug)]
struct Order {
    disturbance: Disturbance,
    done: oneshot::Sender<Result<()>>,
}

impl Locker {
    pub(super) fn start(file: &Path) -> Result<Locker> {
        let lock = WriteLock::open(file)
            .map_err(|why| Error::failed(format!("opening {}", file.display()), why))?;
        // As many orders as are given, and each is waited for, so there are few.
        let (orders, given) = channel();
        let keeper = Keeper { lock, holds: false };
        thread::spawn(move || obey(keeper, &given));
        Ok(Locker { orders })
    }

    /// Returns when it is so.
    pub(super) async fn disturb(&self, disturbance: Disturbance) -> Result<()> {
        let done = self.order(disturbance);
        done.await.unwrap_or_else(|_| Err(gone()))
    }

    /// The same without waiting for it.
    pub(super) fn begin_to_disturb(&self, disturbance: Disturbance) {
        drop(self.order(disturbance));
    }

    fn order(&self, disturbance: Disturbance) -> oneshot::Receiver<Result<()>> {
        let (done, is_done) = oneshot::channel();
        // If the thread has ended, so has what it would answer by.
        let _ = self.orders.send(Order { disturbance, done });
        is_done
    }
}

/// The lock, and whether it is held.
struct Keeper {
    lock: WriteLock,
    holds: bool,
}

/// Follows orders until the sender is dropped. Then the connection ends, which releases the lock.
fn obey(mut keeper: Keeper, orders: &Receiver<Order>) {
    let mut disturbance = Disturbance::None;
    while let Some(order) = keeper.wait_for_order(orders, disturbance) {
        let outcome = match order.disturbance {
            Disturbance::None => keeper.release(),
            Disturbance::Outage | Disturbance::SlowDown(_) => keeper.take(),
        };
        disturbance = match &outcome {
            Ok(()) => order.disturbance,
            Err(_) => Disturbance::None,
        };
        // The caller may have been cancelled.
        let _ = order.done.send(outcome);
    }
}

impl Keeper {
    /// During a slow-down the service has its turns meanwhile.
    fn wait_for_order(
        &mut self,
        orders: &Receiver<Order>,
        disturbance: Disturbance,
    ) -> Option<Order> {
        let Disturbance::SlowDown(delay) = disturbance else {
            return orders.recv().ok();
        };
        loop {
            match orders.recv_timeout(delay) {
                Ok(order) => return Some(order),
                Err(RecvTimeoutError::Disconnected) => return None,
                // What fails here is tried again after the next delay.
                Err(RecvTimeoutError::Timeout) => drop(self.give_a_turn()),
            }
        }
    }

    /// Releases the lock until another connection has committed, or until a short deadline if
    /// none does.
    fn give_a_turn(&mut self) -> Result<()> {
        let before = self.lock.data_version().map_err(broken)?;
        self.release()?;
        let deadline = Instant::now() + TURN_MAX;
        while Instant::now() < deadline && self.lock.data_version().map_err(broken)? == before {
            thread::sleep(LOOK_EVERY);
        }
        self.take()
    }

    fn take(&mut self) -> Result<()> {
        let deadline = Instant::now() + TAKE_MAX;
        while !self.holds {
            self.holds = self.lock.try_take().map_err(broken)?;
            if !self.holds {
                if Instant::now() > deadline {
                    return Err(broken(format!(
                        "the write lock was not free in {} s",
                        TAKE_MAX.as_secs()
                    )));
                }
                thread::sleep(LOOK_EVERY);
            }
        }
        Ok(())
    }

    fn release(&mut self) -> Result<()> {
        if self.holds {
            self.holds = false;
            self.lock.release().map_err(broken)?;
        }
        Ok(())
    }
}

fn broken(why: impl std::fmt::Display) -> Error {
    Error::failed("disturbing the database", why)
}

fn gone() -> Error {
    broken("what held its lock has ended")
}
