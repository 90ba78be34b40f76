//! Processes and their ways to cache and database fail at random, and what must
//! never be never is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use crate::fakes::{Database, FakeCache, Line, Passage, Travel, unavailable};
use crate::processes::{Process, assert_safe};

const RUNS: u64 = 150;
const STEPS: u64 = 60;
/// All times are multiples of this, so a check at each multiple, and in between,
/// misses nothing.
const TICK_MS: u64 = 10;
/// Longer than a cache is left at most.
const RECOVERED_WITHIN: Duration = Duration::from_secs(60);

#[derive(Default)]
struct World {
    database: Arc<Database>,
    /// All that ever were: one that died may still hold what it was given.
    processes: Mutex<Vec<Process>>,
    /// Those that have neither died nor left.
    alive: Mutex<Vec<Process>>,
    seen: Mutex<Seen>,
}

/// How often what a run is about came about.
#[derive(Debug, Default)]
struct Seen {
    bypasses: usize,
    trusts: usize,
}

fn ticks(rng: &mut Rng, most: u64) -> Duration {
    Duration::from_millis(rng.u64(0..=most) * TICK_MS)
}

/// How statements fare on a line that is as bad as `badness`.
fn travels(mut rng: Rng, badness: u64) -> impl FnMut() -> Travel + Send {
    move || {
        let most = match rng.u64(0..100) {
            rare if rare < badness => 200,
            rare if rare < 4 * badness => 20,
            _ => 1,
        };
        let passage = match rng.u64(0..100) {
            rare if rare < badness => Passage::Lost,
            rare if rare < 2 * badness => Passage::Unanswered,
            rare if rare < 4 * badness => Passage::Late(ticks(&mut rng, 200)),
            _ => Passage::Whole,
        };
        Travel {
            there: ticks(&mut rng, most),
            back: ticks(&mut rng, most),
            passage,
        }
    }
}

impl World {
    async fn join(&self, rng: &mut Rng) {
        let line = Line::new(self.database.clone());
        line.fares(travels(rng.fork(), rng.u64(0..10)));
        let cache = FakeCache::new();
        cache.answers(rng.u8(0..8) > 0);
        let name = format!("process {}", self.processes.lock().unwrap().len());
        let lease = Duration::from_millis(*rng.choice(&[1_000, 1_000, 2_000, 4_000]).unwrap());
        if let Ok(process) = Process::join_by(line, cache, &name, lease).await {
            self.processes.lock().unwrap().push(process.clone());
            self.alive.lock().unwrap().push(process);
        }
    }

    fn alive(&self) -> Vec<Process> {
        self.alive.lock().unwrap().clone()
    }

    async fn ends(&self, process: &Process, rng: &mut Rng) {
        let mut alive = std::mem::take(&mut *self.alive.lock().unwrap());
        alive.retain(|other| other.name != process.name);
        *self.alive.lock().unwrap() = alive;
        self.join(rng).await;
    }

    fn look(&self) {
        let processes = self.processes.lock().unwrap();
        assert_safe(&processes);
        let mut seen = self.seen.lock().unwrap();
        let bypassing = processes.iter().filter(|one| one.bypasses().is_some());
        seen.bypasses += bypassing.count();
        seen.trusts += processes.iter().filter(|one| one.trusts()).count();
    }

    async fn step(self: &Arc<World>, rng: &mut Rng) {
        let alive = self.alive();
        let Some(process) = rng.choice(&alive).cloned() else {
            return self.join(rng).await;
        };
        let pause = ticks(rng, 400);
        match rng.u64(0..16) {
            0..5 => {
                process.cache.answers(false);
                if let Some(permit) = process.access.permit() {
                    tokio::spawn(
                        async move { process.access.cut_off(permit, &unavailable()).await },
                    );
                }
            }
            5..9 => process.cache.answers(true),
            9..13 => {
                process.line.freeze(true);
                tokio::spawn(async move {
                    sleep(pause).await;
                    process.line.freeze(false);
                });
            }
            13 => {
                let leaving = process.access.clone();
                tokio::spawn(async move { leaving.leave().await });
                self.ends(&process, rng).await;
            }
            14 => {
                // It dies.
                process.line.fares(|| Travel {
                    there: Duration::from_secs(1_000_000),
                    ..Travel::AT_ONCE
                });
                self.ends(&process, rng).await;
            }
            _ => process.line.fares(travels(rng.fork(), rng.u64(0..10))),
        }
    }

    async fn run(self: Arc<World>, mut rng: Rng) {
        for _ in 0..3 {
            self.join(&mut rng).await;
        }
        for _ in 0..STEPS {
            self.step(&mut rng).await;
            sleep(ticks(&mut rng, 60)).await;
        }
        let alive = self.alive();
        for process in &alive {
            process.line.fares(|| Travel::AT_ONCE);
            process.line.freeze(false);
            process.cache.answers(true);
        }
        let mut newest = None;
        let deadline = Instant::now() + RECOVERED_WITHIN;
        while newest.is_none() {
            assert!(
                Instant::now() < deadline,
                "never again: {:?}",
                self.database.view()
            );
            sleep(Duration::from_millis(TICK_MS)).await;
            newest = Some(self.database.view().epoch.get())
                .filter(|epoch| alive.iter().all(|process| process.trusts_in(*epoch)));
        }
    }
}

fn run(seed: u64) -> Seen {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(async {
        let world = Arc::new(World::default());
        let mut running = tokio::spawn(world.clone().run(Rng::with_seed(seed)));
        let tick = Duration::from_millis(TICK_MS);
        let mut look = tokio::time::interval_at(Instant::now() + tick / 2, tick);
        loop {
            tokio::select! {
                biased;
                ended = &mut running => break ended.unwrap(),
                _ = look.tick() => world.look(),
            }
        }
        std::mem::take(&mut *world.seen.lock().unwrap())
    })
}

/// One that fails names the run, which fails again.
#[test]
fn no_process_trusts_a_cache_that_another_one_bypasses() {
    let mut all = Seen::default();
    for seed in 0..RUNS {
        let ran = std::panic::catch_unwind(|| run(seed));
        let seen = ran.unwrap_or_else(|_| panic!("in run {seed}"));
        all.bypasses += seen.bypasses;
        all.trusts += seen.trusts;
    }
    // Else they would show nothing.
    assert!(all.bypasses > 50_000 && all.trusts > 50_000, "{all:?}");
}
