//! Through which a process reaches a part: where calls take time, fail, and
//! never return to a process that has crashed.

use std::sync::Arc;
use std::time::Duration;

use cache_core::error::{Error, Part, Result};

use crate::clients::on_behalf;
use crate::life::Life;
use crate::plan::PerMille;
use crate::world::World;

#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) world: Arc<World>,
    pub(crate) life: Arc<Life>,
    pub(crate) part: Part,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Succeeds,
    /// It fails, and nothing was done.
    FailsBefore,
    /// It is done, and the caller is told that it failed.
    FailsAfter,
}

impl Door {
    pub(crate) fn fails(&self, why: &str) -> Error {
        Error::unavailable(self.part, why)
    }

    /// The way to the part.
    pub(crate) async fn enter(&self, what: &str) {
        self.life.go_on().await;
        // Two that ask for the same at the same moment are told apart by this.
        let who = format!("{} {what}{}", self.life.name, on_behalf());
        self.world.turns.take(who).await;
        self.life.go_on().await;
        if !self.world.counts_call() {
            std::future::pending().await
        }
        self.wait().await;
        self.life.go_on().await;
    }

    /// The way back.
    pub(crate) async fn leave(&self) {
        if self.world.crashes_now() {
            self.world
                .note(|| format!("{} crashes in a call", self.life.name));
            self.life.kill();
        }
        self.life.go_on().await;
        self.wait().await;
        self.life.go_on().await;
    }

    pub(crate) fn fate(&self, fails: PerMille) -> Fate {
        let world = &self.world;
        if world.is_unavailable(self.part) {
            Fate::FailsBefore
        } else if world.happens(fails) {
            if world.draw(0..2) == 0 {
                Fate::FailsBefore
            } else {
                Fate::FailsAfter
            }
        } else {
            Fate::Succeeds
        }
    }

    /// One call.
    pub(crate) async fn pass<T>(
        &self,
        what: &str,
        fails: PerMille,
        effect: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T>
    where
        T: Send,
    {
        self.enter(what).await;
        let answer = match self.fate(fails) {
            Fate::Succeeds => effect(),
            Fate::FailsBefore => Err(self.fails("before")),
            Fate::FailsAfter => {
                let _ = effect();
                Err(self.fails("after"))
            }
        };
        self.leave().await;
        answer
    }

    async fn wait(&self) {
        let world = &self.world;
        if world.happens(world.plan.slow) {
            tokio::time::sleep(world.draw_ms(100..1_500)).await;
            return;
        }
        match world.draw(0..10) {
            0..5 => {}
            5..7 => tokio::task::yield_now().await,
            7..9 => tokio::time::sleep(Duration::from_millis(1)).await,
            _ => tokio::time::sleep(world.draw_ms(2..40)).await,
        }
    }

    /// Does something later without a caller that waits for it, as a server does
    /// with a request whose client has given up.
    pub(crate) fn stray(&self, effect: impl FnOnce() + Send + 'static) {
        let (world, after) = (self.world.clone(), self.world.draw_ms(5..400));
        world.lock().stray += 1;
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            effect();
            world.lock().stray -= 1;
        });
    }
}
