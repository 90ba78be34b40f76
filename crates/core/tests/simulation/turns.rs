//! Gives tasks their turns in a fixed order.
//!
//! Tokio wakes the tasks that wait for the same `watch` in a random order, which no
//! seed changes. So a task that calls a part waits until all tasks that will call
//! at that moment are there. Then they go on in the order of their names.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::world::World;

/// Time moves only while all tasks wait.
const TICK: Duration = Duration::from_millis(1);

#[derive(Debug, Default)]
pub(crate) struct Turns {
    arrivals: Mutex<Vec<(String, oneshot::Sender<()>)>>,
    arrived: Notify,
}

impl Turns {
    /// Returns when it is the turn of `who`.
    pub(crate) async fn take(&self, who: String) {
        let (go, gone) = oneshot::channel();
        self.arrivals.lock().unwrap().push((who, go));
        self.arrived.notify_one();
        // The one who conducts is there for as long as the run.
        let _ = gone.await;
    }
}

/// Lets them go on, for as long as the run lasts.
pub(crate) async fn conduct(world: Arc<World>) {
    loop {
        world.turns.arrived.notified().await;
        tokio::time::sleep(TICK).await;
        let mut arrivals = std::mem::take(&mut *world.turns.arrivals.lock().unwrap());
        arrivals.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (_, go) in arrivals {
            let _ = go.send(());
        }
    }
}
