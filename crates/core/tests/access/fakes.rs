//! A database that takes heartbeats, and a cache that answers or not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cache_core::bypass::protocol::{Member, Membership, Statement, View};
use cache_core::cache::{Begun, Cache, FillStart, FillTicket, Lookup, Refill, Withdrawn};
use cache_core::error::{Error, Part, Result};
use cache_core::model::epoch::Epoch;
use cache_core::model::record::{Key, Record};
use cache_core::model::stored_versions::StoredVersions;
use cache_core::model::version::Version;
use cache_core::outage::health::PartHealth;
use tokio::sync::watch;

/// The state of the protocol. One heartbeat is processed at a time.
#[derive(Debug, Default)]
pub(crate) struct Database(Mutex<View>);

impl Database {
    pub(crate) fn view(&self) -> View {
        self.0.lock().unwrap().clone()
    }

    fn hear(&self, statement: &Statement) -> View {
        let mut view = self.0.lock().unwrap();
        *view = view.after(statement);
        view.clone()
    }

    pub(crate) fn rely(&self, holder: &str) {
        let mut view = self.0.lock().unwrap();
        assert!(!view.bypassed);
        view.members.push(Member {
            process: holder.to_owned(),
            trusts: true,
            cut_off: false,
            for_good: true,
            lease_ms: 0,
            beats: 0,
        });
    }

    pub(crate) fn forget(&self, process: &str) {
        let mut view = self.0.lock().unwrap();
        view.members.retain(|member| member.process != process);
    }
}

/// What becomes of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It arrives, and is answered.
    Whole,
    /// It is lost, and its process told that it may be.
    Lost,
    /// It arrives, and its process gets an error of unknown outcome.
    Unanswered,
    /// It arrives this much later than its process gets an error of unknown
    /// outcome.
    Late(Duration),
}

/// How one statement fares: how long it takes to the database and how long the
/// answer takes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Travel {
    pub(crate) there: Duration,
    pub(crate) back: Duration,
    pub(crate) passage: Passage,
}

impl Travel {
    pub(crate) const AT_ONCE: Travel = Travel {
        there: Duration::ZERO,
        back: Duration::ZERO,
        passage: Passage::Whole,
    };
}

type Fate = dyn FnMut() -> Travel + Send;

/// One process's way to the database.
pub(crate) struct Line {
    database: Arc<Database>,
    frozen: watch::Sender<bool>,
    fate: Mutex<Box<Fate>>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Line")
    }
}

impl Line {
    pub(crate) fn new(database: Arc<Database>) -> Arc<Line> {
        Arc::new(Line {
            database,
            frozen: watch::Sender::new(false),
            fate: Mutex::new(Box::new(|| Travel::AT_ONCE)),
        })
    }

    /// Every statement fares so from now on.
    pub(crate) fn fares(&self, fate: impl FnMut() -> Travel + Send + 'static) {
        *self.fate.lock().unwrap() = Box::new(fate);
    }

    /// Nothing comes through, in neither direction, and nothing is told of it.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }

    async fn passes(&self, after: Duration) {
        tokio::time::sleep(after).await;
        let mut frozen = self.frozen.subscribe();
        frozen.wait_for(|frozen| !frozen).await.unwrap();
    }
}

#[async_trait]
impl Membership for Line {
    async fn hear(&self, statement: &Statement) -> Result<View> {
        let unavailable = || Err(Error::unavailable(Part::Database, "it does not answer"));
        let travel = (self.fate.lock().unwrap())();
        self.passes(travel.there).await;
        let view = match travel.passage {
            Passage::Lost => None,
            Passage::Whole | Passage::Unanswered => Some(self.database.hear(statement)),
            Passage::Late(later) => {
                let (database, statement) = (self.database.clone(), statement.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(later).await;
                    database.hear(&statement);
                });
                None
            }
        };
        self.passes(travel.back).await;
        match view {
            Some(view) if travel.passage == Passage::Whole => Ok(view),
            _ => unavailable(),
        }
    }

    async fn rely(&self, _: &str, _: bool) -> Result<View> {
        Err(Error::unavailable(Part::Database, "this is not asked"))
    }

    async fn leave(&self, process: &str) -> Result<bool> {
        let travel = (self.fate.lock().unwrap())();
        if travel.passage != Passage::Whole {
            return Err(Error::unavailable(Part::Database, "it does not answer"));
        }
        self.passes(travel.there).await;
        self.database.forget(process);
        Ok(true)
    }
}

/// A cache that is available or not, and knows which epochs it was used in.
#[derive(Debug)]
pub(crate) struct FakeCache {
    answers: AtomicBool,
    entered: Mutex<Vec<Epoch>>,
}

impl FakeCache {
    pub(crate) fn new() -> Arc<FakeCache> {
        Arc::new(FakeCache {
            answers: AtomicBool::new(true),
            entered: Mutex::default(),
        })
    }

    pub(crate) fn answers(&self, answers: bool) {
        self.answers.store(answers, Ordering::SeqCst);
    }

    /// The epoch that it is used in.
    pub(crate) fn epoch(&self) -> Option<Epoch> {
        self.entered.lock().unwrap().last().copied()
    }

    fn reached(&self) -> Result<()> {
        match self.answers.load(Ordering::SeqCst) {
            true => Ok(()),
            false => Err(unavailable()),
        }
    }
}

pub(crate) fn unavailable() -> Error {
    Error::unavailable(Part::Cache, "it is unavailable")
}

/// It holds nothing, and has no room for a ticket.
#[async_trait]
impl Cache for FakeCache {
    async fn get(&self, _: &Key) -> Result<Lookup> {
        self.reached().map(|()| Lookup::Miss)
    }

    async fn begin_fill(&self, _: &Key) -> Result<FillStart> {
        self.reached().map(|()| FillStart::Busy)
    }

    async fn fill(&self, _: FillTicket, _: &Record) -> Result<bool> {
        self.reached().map(|()| false)
    }

    async fn abandon_fill(&self, _: &Key, _: FillTicket) -> Result<()> {
        self.reached()
    }

    async fn refill(&self, _: &Record, _: &Record) -> Result<Refill> {
        self.reached().map(|()| Refill::Kept(Lookup::Miss))
    }

    async fn forget(&self, _: &Key) -> Result<()> {
        self.reached()
    }

    async fn forget_all(&self) -> Result<()> {
        self.reached()
    }

    async fn put_dirty(&self, _: &[Record]) -> Result<()> {
        self.reached()
    }

    async fn mark_clean(&self, _: &[(Key, Version)]) -> Result<()> {
        self.reached()
    }

    async fn begin_write(&self, _: &[Key]) -> Result<Vec<Begun>> {
        self.reached().and(Err(unavailable()))
    }

    async fn withdraw(&self, _: &[Withdrawn]) -> Result<()> {
        self.reached()
    }

    async fn settle(&self, _: &[Record]) -> Result<()> {
        self.reached()
    }

    async fn discard(&self, _: &Key, _: Version) -> Result<()> {
        self.reached()
    }

    async fn raise(&self, _: &dyn StoredVersions) -> Result<()> {
        self.reached()
    }

    fn enter_epoch(&self, epoch: Epoch, run: Option<&str>) {
        if run.is_some() {
            self.entered.lock().unwrap().push(epoch);
        }
    }

    async fn probe(&self) -> Result<String> {
        self.reached().map(|()| "run".to_owned())
    }

    async fn health(&self) -> PartHealth {
        PartHealth {
            kind: "fake",
            at: "this test".to_owned(),
            up: self.reached().is_ok(),
            problem: None,
            durability: None,
            ..PartHealth::default()
        }
    }
}
