//! Which keys there are in Redis. All keys of a shard carry the same hash tag
//! and so live on the same node of a Redis Cluster; `redis-cli` shows:
//!
//! ```text
//! wc:{<identity>:<shard>}:<run>:clock       string  the newest version issued in the shard
//! wc:{<identity>:<shard>}:<run>:user:<key>  string  the cached entry, see `entry.rs`
//! wc:{<identity>:<shard>}:<run>:recovered   string  entries up to this version were appended before this run; stays, as
//!                                                   the mark that the shard was used in the run
//! wc:{<identity>:<shard>}:run               string  the run of the server that the shard is used in, and
//!                                                   later ones that ended before it could be, parted by spaces
//! wc:{<identity>:<shard>}:journal           stream  one entry a batch of writes: see `stream.rs`
//! wc:{<identity>:<shard>}:waiting           string  how many entries the journal has; how many writes wait in them,
//!                                                   with how many bytes; the version through which a partly
//!                                                   acknowledged entry is acknowledged: four doubles
//! wc:{<identity>:<shard>}:dead              hash    dead letters by key: see `dead_letter.rs`
//! wc:{<identity>:<shard>}:drained           string  how many writes were ever drained
//! wc:{<identity>:<shard>}:lease             string  the process that drains the shard
//! wc:{<identity>:<shard>}:committed         string  the newest version that the database is known to have committed
//! wc:{<identity>}:probe                     string  written to see whether the server takes it
//! wc:{<identity>}:sweep                     string  old marks of doubt were removed a short time ago
//! wc:{<identity>}:binding                   string  the token and the place of the database: see `crate::binding`
//! wc:{<identity>}:served                    hash    the processes that serve a database: until when, and which
//! wc:{<identity>}:witnesses                 hash    a run of the server, since when processes register in it, and for
//!                                                   each whether it confirms that nothing is missing
//! wc:{<identity>}:processes                 zset    the processes that share the shards, by the end of their lease
//! ```
//!
//! `<run>` is a *run* and an epoch of the cache (`crate::membership`), parted by
//! a point. A run is the time from one start of the server to the next. A server that
//! comes back has perhaps lost its newest writes, so nothing that it had cached
//! can be trusted: under the name of the new run nothing is cached at all, and
//! no clock is seeded until what the journal holds has been cached again
//! (`clock.rs`). Nor can what a server has cached before another one took its
//! place, should it be used again without a restart: its clock is gone
//! then (`returned.rs`).
//!
//! What safety rests on has no expiry, since a server that evicts by `volatile-*` chooses among keys
//! with one. Only clean entries, tickets, leases and `sweep` have an expiry.

use crate::dataset::Dataset;
use crate::membership::Epoch;
use crate::record::Key;
use crate::shard::Shard;

/// The names of the keys that belong to one database's data.
#[derive(Clone, Debug)]
pub(crate) struct Keyspace {
    identity: String,
    // "wc:{<identity>}:"
    prefix: String,
    // By shard: "wc:{<identity>:<shard>}:".
    prefixes: Vec<String>,
}

/// The names of keys of one shard in versions before the number of shards was stored.
#[derive(Clone, Debug)]
pub(super) struct OlderNames {
    pub(super) committed: String,
    pub(super) journal: String,
    pub(super) dead: String,
}

/// How many shards those versions had.
const OLDER_SHARDS: u16 = 16;

/// The names of those that are used in one run of the server only.
#[derive(Clone, Debug)]
pub(crate) struct RunKeys {
    run: String,
    // By shard: "wc:{<identity>:<shard>}:<run>:".
    prefixes: Vec<String>,
    // "wc:{<identity>:??}:<run>:user:*"
    entry_pattern: String,
}

impl Keyspace {
    pub(crate) fn new(dataset: &Dataset) -> Keyspace {
        let Dataset { identity, shards } = dataset;
        Keyspace {
            identity: identity.clone(),
            prefix: format!("wc:{{{identity}}}:"),
            prefixes: (0..*shards)
                .map(|shard| format!("wc:{{{identity}:{shard:02}}}:"))
                .collect(),
        }
    }

    /// The names of a run in an epoch of the cache.
    pub(crate) fn in_epoch(&self, run: &str, epoch: Epoch) -> RunKeys {
        self.in_run(&format!("{run}.{epoch}"))
    }

    /// The names of a run, with its epoch.
    pub(crate) fn in_run(&self, run: &str) -> RunKeys {
        let in_run = |prefix: &String| format!("{prefix}{run}:");
        let of_database = self.prefix.trim_end_matches("}:");
        RunKeys {
            entry_pattern: format!("{of_database}:??}}:{run}:user:*"),
            run: run.to_owned(),
            prefixes: self.prefixes.iter().map(in_run).collect(),
        }
    }

    /// The names of the same data, of so many shards at least.
    pub(crate) fn with_shards(&self, shards: u16) -> Keyspace {
        Keyspace::new(&Dataset {
            identity: self.identity.clone(),
            shards: shards.max(self.shards()),
        })
    }

    pub(crate) fn shards(&self) -> u16 {
        self.prefixes.len() as u16
    }

    pub(crate) fn shard_of(&self, key: &Key) -> Shard {
        shard_of(key, self.prefixes.len())
    }

    /// The names under which older versions have kept what waits.
    pub(super) fn older(&self) -> Vec<OlderNames> {
        let of_shard = |shard| {
            let name = |name| format!("wc:{{{}:{shard:02}}}:{name}", self.identity);
            OlderNames {
                committed: name("committed"),
                journal: name("journal"),
                dead: name("dead"),
            }
        };
        (0..OLDER_SHARDS).map(of_shard).collect()
    }

    fn name(&self, shard: Shard, name: &str) -> String {
        format!("{}{name}", of_shard(&self.prefixes, shard))
    }

    pub(crate) fn run(&self, shard: Shard) -> String {
        self.name(shard, "run")
    }

    pub(crate) fn journal(&self, shard: Shard) -> String {
        self.name(shard, "journal")
    }

    /// How much waits in the journal.
    pub(crate) fn waiting(&self, shard: Shard) -> String {
        self.name(shard, "waiting")
    }

    pub(crate) fn dead(&self, shard: Shard) -> String {
        self.name(shard, "dead")
    }

    pub(crate) fn drained(&self, shard: Shard) -> String {
        self.name(shard, "drained")
    }

    pub(crate) fn lease(&self, shard: Shard) -> String {
        self.name(shard, "lease")
    }

    /// The newest version that the database is known to have committed.
    pub(crate) fn committed(&self, shard: Shard) -> String {
        self.name(shard, "committed")
    }

    /// Which database all of this belongs to.
    pub(crate) fn binding(&self) -> String {
        format!("{}binding", self.prefix)
    }

    /// The processes that serve a database of this identity.
    pub(crate) fn served(&self) -> String {
        format!("{}served", self.prefix)
    }

    /// Which processes confirm that a restarted server still has all its answers to them.
    pub(crate) fn witnesses(&self) -> String {
        format!("{}witnesses", self.prefix)
    }

    pub(crate) fn processes(&self) -> String {
        format!("{}processes", self.prefix)
    }

    /// A key that is written to see whether the server takes it.
    pub(crate) fn probe(&self) -> String {
        format!("{}probe", self.prefix)
    }

    /// Marks that old marks of doubt were removed a short time ago.
    pub(crate) fn sweep(&self) -> String {
        format!("{}sweep", self.prefix)
    }

    /// The pattern of the names of all entries, of all runs, for `SCAN`.
    pub(crate) fn entry_pattern(&self) -> String {
        let of_database = self.prefix.trim_end_matches("}:");
        format!("{of_database}:??}}:*:user:*")
    }

    /// The channel on which processes wake each other.
    pub(crate) fn wake_channel(&self) -> String {
        format!("{}wake", self.prefix)
    }
}

impl RunKeys {
    /// The name of the run.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    pub(crate) fn clock(&self, shard: Shard) -> String {
        format!("{}clock", of_shard(&self.prefixes, shard))
    }

    /// The version up to which the shard's entries were appended before this run. The key exists
    /// if the shard was ever used in the run.
    pub(crate) fn recovered(&self, shard: Shard) -> String {
        format!("{}recovered", of_shard(&self.prefixes, shard))
    }

    /// What the names of the shard's entries begin with.
    pub(crate) fn entry_prefix(&self, shard: Shard) -> String {
        format!("{}user:", of_shard(&self.prefixes, shard))
    }

    /// What the names of all shards' entries look like, as `SCAN` takes it.
    pub(crate) fn entry_pattern(&self) -> &str {
        &self.entry_pattern
    }

    pub(crate) fn entry(&self, key: &Key) -> String {
        let mut name = String::new();
        self.write_entry(shard_of(key, self.prefixes.len()), key, &mut name);
        name
    }

    /// As [`RunKeys::entry`] of a key in `shard`, into `name` in place of what
    /// it held.
    pub(crate) fn write_entry(&self, shard: Shard, key: &Key, name: &mut String) {
        name.clear();
        name.push_str(of_shard(&self.prefixes, shard));
        name.push_str("user:");
        name.push_str(key.as_str());
    }
}

fn shard_of(key: &Key, shards: usize) -> Shard {
    match shards {
        // By far the most common, so nothing is hashed.
        0 | 1 => Shard(0),
        shards => Shard((crc32fast::hash(key.as_str().as_bytes()) as usize % shards) as u16),
    }
}

fn of_shard(prefixes: &[String], shard: Shard) -> &str {
    prefixes
        .get(usize::from(shard.0))
        .map_or("", String::as_str)
}
