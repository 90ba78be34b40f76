//! Which database this server belongs to, as the server knows it: see `crate::binding`.

use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::redis::{Script, cmd};

use crate::binding::{self, Binding, Bound, CacheSite, Found};
use crate::error::{Part, Result};
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::redis::keyspace::OlderNames;
use crate::redis::{Call, Place, Redis, milliseconds, parse_version};
use crate::timing;

static LOOK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("forms.lua"),
        include_str!("waiting.lua"),
        include_str!("binding_look.lua")
    ))
});
static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("binding_claim.lua")));

/// What the script takes if no process may serve another place, or at all.
const ALONE_AT_ITS_PLACE: &str = "1";
const ALONE: &str = "2";

/// Whether the server belongs to the database whose data is kept there.
#[async_trait]
pub(crate) trait Ownership: Debug + Send + Sync {
    /// Whether that was found so recently that it still holds.
    fn is_current(&self) -> bool;

    /// Finds out.
    ///
    /// # Errors
    /// When it does not belong to it, or cannot be asked.
    async fn confirm(&self) -> Result<()>;

    /// Registers this process at the server, which must belong to the database.
    ///
    /// # Errors
    /// As [`Ownership::confirm`].
    async fn register(&self) -> Result<()>;

    /// What is wrong, if the server belongs to another database.
    fn problem(&self) -> Option<&'static str>;
}

impl Redis {
    /// A link to the same server that checks no [`Ownership`] first. When it finds that the
    /// server is a replica now, all links open other connections.
    pub(crate) fn unowned(&self) -> Result<Arc<Redis>> {
        let (finder, keyspace) = (self.opener.finder.clone(), self.keyspace.clone());
        let place = Arc::new(Place {
            witness: self.place.witness.clone(),
            lease: self.place.lease.clone(),
            ..Place::new(&keyspace, self.place.moved.clone())
        });
        Redis::with(finder, self.timeout, keyspace, place)
    }

    /// Asks `ownership` before anything else, in all links to this server from now on.
    pub(crate) fn owned_by(&self, ownership: Arc<dyn Ownership>) {
        // There is one owner a process.
        let _ = self.place.ownership.set(ownership);
    }

    /// What the server knows besides the registration of `process`.
    pub(crate) async fn look(&self, process: &str) -> Result<Found> {
        let mut link = self.link(Part::Cache).await?;
        let stored = self.text(&mut link, self.keyspace.binding()).await?;
        let stored = Binding::parse(&String::from_utf8_lossy(&stored));
        let noted = stored.as_ref().and_then(|binding| binding.shards);
        // It may note more shards than the database.
        let keyspace = &self.keyspace.with_shards(noted.unwrap_or_default());
        let mut keys = vec![keyspace.binding(), keyspace.served()];
        for shard in (0..keyspace.shards()).map(Shard) {
            keys.push(keyspace.committed(shard));
            keys.push(keyspace.journal(shard));
            keys.push(keyspace.dead(shard));
            keys.push(keyspace.waiting(shard));
        }
        for older in self.older(stored.as_ref()) {
            keys.extend([older.committed, older.journal, older.dead]);
        }
        let mut call = Call::new(&LOOK, keys);
        call.arg(keyspace.shards());
        let answer: Vec<Bytes> = link.script(call).await?;
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let at = |place: usize| answer.get(place).map(text).unwrap_or_default();
        let alive = answer.get(4..).unwrap_or_default().chunks_exact(2);
        let others = alive.filter_map(|alive| match alive {
            [other, place] if other != process.as_bytes() => binding::Place::parse(&text(place)),
            _ => None,
        });
        Ok(Found {
            stored: at(0),
            others: others.collect(),
            committed: parse_version(at(1).as_bytes()).unwrap_or_default(),
            waiting: at(2).parse().unwrap_or_default(),
            left: at(3).parse().unwrap_or_default(),
            cache: CacheSite {
                run: link.server_run().to_owned(),
                database: self.opener.finder.last().database(),
                address: self.opener.finder.address(),
            },
        })
    }

    /// The names of an older version, unless this binding says that they are not used any more.
    fn older(&self, bound: Option<&Binding>) -> Vec<OlderNames> {
        match bound {
            Some(Binding {
                shards: Some(_), ..
            }) => Vec::new(),
            _ => self.keyspace.older(),
        }
    }

    /// Registers `process` at the place of `mine`, and puts the binding `next` in place of
    /// `expected`. Returns whether it did: not where there is another binding, nor, if `alone`,
    /// while a process is alive that serves another place; where `expected` is of an older version, not
    /// while any other process is alive or something waits under its names. The first time in a run of the
    /// server, the process testifies whether the server still has all its answers to this process.
    pub(crate) async fn claim(
        &self,
        (expected, next): (&str, &str),
        process: &str,
        mine: &Bound,
        alone: bool,
    ) -> Result<bool> {
        let mut link = self.link(Part::Cache).await?;
        let run = link.server_run().to_owned();
        let told = self.place.witness.meets(&run);
        let has_all = match &told {
            Some(told) => self.has_all(&mut link, told).await?,
            None => false,
        };
        let keyspace = &self.keyspace;
        let mut keys = vec![
            keyspace.binding(),
            keyspace.served(),
            keyspace.witnesses(),
            keyspace.run(Shard(0)),
        ];
        let expected_binding = Binding::parse(expected);
        let is_of_older = expected_binding.as_ref().is_some_and(Binding::is_of_older);
        let older = self.older(expected_binding.as_ref());
        for names in &older {
            keys.extend([names.journal.clone(), names.dead.clone()]);
        }
        let alone = match (is_of_older, alone) {
            (true, _) => ALONE,
            (false, true) => ALONE_AT_ITS_PLACE,
            (false, false) => "",
        };
        let mut call = Call::new(&CLAIM, keys);
        call.arg(expected)
            .arg(next)
            .arg(process)
            .arg(mine.place.encode())
            .arg(milliseconds(timing::REGISTRATION_LIFETIME))
            .arg(alone)
            .arg(&run);
        match &told {
            Some(told) => call.arg(u8::from(has_all)).arg(&told.registered),
            None => call.arg("").arg(""),
        };
        let until: String = link.script(call).await?;
        let is_registered = !until.is_empty();
        if is_registered {
            self.place.witness.registered(&run, until);
            self.begin_lease(&mut link).await?;
        }
        Ok(is_registered)
    }

    /// Ends the registration of `process`.
    pub(crate) async fn resign(&self, process: &str) -> Result<()> {
        let mut link = self.link(Part::Cache).await?;
        let served = self.keyspace.served();
        link.command(cmd("HDEL").arg(served).arg(process)).await
    }

    /// Forgets which versions the database has committed: a restored one has others.
    pub(crate) async fn forget_committed(&self) -> Result<()> {
        let mut link = self.link(Part::Cache).await?;
        let mut forget = cmd("DEL");
        for shard in (0..self.keyspace.shards()).map(Shard) {
            forget.arg(self.keyspace.committed(shard));
        }
        link.command(&forget).await
    }

    /// The newest epoch that any shard was used in.
    pub(crate) async fn newest_epoch(&self) -> Result<u64> {
        let mut link = self.link(Part::Cache).await?;
        let mut newest = 0;
        for shard in (0..self.keyspace.shards()).map(Shard) {
            let runs = self.runs(&mut link, shard).await?;
            let epochs = runs
                .split_whitespace()
                .filter_map(|run| run.rsplit_once('.')?.1.parse().ok());
            newest = epochs.chain([newest]).max().unwrap_or_default();
        }
        Ok(newest)
    }
}

/// The newest of some versions, for the key of what is committed.
pub(crate) fn newest(versions: impl Iterator<Item = Version>) -> Version {
    versions.max().unwrap_or_default()
}
