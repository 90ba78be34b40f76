//! Which keys there are in Redis. All keys of a shard carry the same hash tag
//! and so live on the same node of a Redis Cluster; `redis-cli` shows:
//!
//! ```text
//! wc{<id>:<shard>}<run>:<key>        string  the cached entry, see `entry.rs`
//! wc{<id>:<shard>}<run>.clock        string  the newest version issued in the shard
//! wc{<id>:<shard>}<run>.recovered    string  entries up to this version were appended before this run; stays, as
//!                                            the mark that the shard was used in the run
//! wc{<id>:<shard>}.run               string  the run of the server that the shard is used in, and
//!                                            later ones that ended before it could be, parted by spaces
//! wc{<id>:<shard>}.journal           stream  one entry a batch of writes: see `stream.rs`
//! wc{<id>:<shard>}.waiting           string  how many entries the journal has; how many writes wait in them,
//!                                            with how many bytes; the version through which a partly
//!                                            acknowledged entry is acknowledged: four doubles
//! wc{<id>:<shard>}.dead              hash    dead letters by key: see `dead_letter.rs`
//! wc{<id>:<shard>}.held-back         zset    the keys of those that wait for room among the others, each with score 0
//! wc{<id>:<shard>}.held-back-bytes   string  about how many bytes those take
//! wc{<id>:<shard>}.drained           string  how many writes were ever drained
//! wc{<id>:<shard>}.lease             string  the process that drains the shard
//! wc{<id>:<shard>}.committed         string  the newest version that the database is known to have committed
//! wc:{<identity>}:probe              string  written to see whether the server takes it
//! wc:{<identity>}:sweep              string  old marks of doubt were removed a short time ago
//! wc:{<identity>}:binding            string  the token and the place of the database: see `crate::binding`
//! wc:{<identity>}:served             hash    the processes that serve a database: until when, and which
//! wc:{<identity>}:witnesses          hash    a run of the server, since when processes register in it, and for
//!                                            each whether it confirms that nothing is missing
//! wc:{<identity>}:processes          zset    the processes that share the shards, by the end of their lease
//! ```
//!
//! There is an entry for each cached name, so what comes before the name is short. `<id>` and `<run>` are
//! the identity and the run in another notation (`names.rs`).
//!
//! A *run* of the server and an epoch of the cache (`crate::bypass::protocol`) are one word here. A
//! run is the time from one start of the server to the next. A server that
//! comes back has perhaps lost its newest writes, so nothing that it had cached
//! can be trusted: under the name of the new run nothing is cached at all, and
//! no clock is seeded until what the journal holds has been cached again
//! (`clock.rs`). Nor can what a server has cached before another one took its
//! place, should it be used again without a restart: its clock is gone
//! then (`returned.rs`).
//!
//! What safety rests on has no expiry, since a server that evicts by `volatile-*` chooses among keys
//! with one. Only clean entries, tickets, leases and `sweep` have an expiry.

use crate::model::dataset::Dataset;
use crate::model::epoch::Epoch;
use crate::model::record::Key;
use crate::model::shard::Shard;
use crate::redis::names;

/// The names of the keys that belong to one database's data.
#[derive(Clone, Debug)]
pub(crate) struct Keyspace {
    identity: String,
    // "wc:{<identity>}:"
    prefix: String,
    // By shard: "wc{<id>:<shard>}".
    prefixes: Vec<String>,
}

/// The names of keys of one shard in versions before the number of shards was stored.
#[derive(Clone, Debug)]
pub(super) struct OlderNames {
    pub(super) committed: String,
    pub(super) journal: String,
    pub(super) dead: String,
}

/// The name of a binding has the identity of the data between these.
const BINDING_START: &str = "wc:{";
const BINDING_END: &str = "}:binding";

/// The names of the bindings of all data, for `MATCH`.
pub(super) fn binding_pattern() -> String {
    format!("{BINDING_START}*{BINDING_END}")
}

/// The identity of the data whose binding has this name.
pub(super) fn identity_of_binding(name: &str) -> Option<&str> {
    name.strip_prefix(BINDING_START)?.strip_suffix(BINDING_END)
}

/// How many shards those versions had.
const OLDER_SHARDS: u16 = 16;

/// The names of those that are used in one run of the server only.
#[derive(Clone, Debug)]
pub(crate) struct RunKeys {
    run: String,
    // By shard: "wc{<id>:<shard>}<run>".
    prefixes: Vec<String>,
    // "wc{<id>:*}<run>:*"
    entry_pattern: String,
}

impl Keyspace {
    pub(crate) fn new(dataset: &Dataset) -> Keyspace {
        let Dataset { identity, shards } = dataset;
        Keyspace {
            identity: identity.clone(),
            prefix: format!("wc:{{{identity}}}:"),
            prefixes: (0..*shards)
                .map(|shard| format!("{}{shard}}}", names::start_of_shards(identity)))
                .collect(),
        }
    }

    /// The names of a run in an epoch of the cache.
    pub(crate) fn in_epoch(&self, run: &str, epoch: Epoch) -> RunKeys {
        self.in_run(&format!("{run}.{epoch}"))
    }

    /// The names of a run, with its epoch.
    pub(crate) fn in_run(&self, run: &str) -> RunKeys {
        let short = names::short_run(run);
        RunKeys {
            entry_pattern: format!("{}*}}{short}:*", names::start_of_shards(&self.identity)),
            run: run.to_owned(),
            prefixes: self
                .prefixes
                .iter()
                .map(|prefix| format!("{prefix}{short}"))
                .collect(),
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
        format!("{}.{name}", of_shard(&self.prefixes, shard))
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

    /// The keys whose dead letters are held back.
    pub(crate) fn held_back(&self, shard: Shard) -> String {
        self.name(shard, "held-back")
    }

    /// About how many bytes those take.
    pub(crate) fn held_back_bytes(&self, shard: Shard) -> String {
        self.name(shard, "held-back-bytes")
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
        format!("{BINDING_START}{}{BINDING_END}", self.identity)
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
        format!("{}*}}[^.]*:*", names::start_of_shards(&self.identity))
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
        format!("{}.clock", of_shard(&self.prefixes, shard))
    }

    /// The version up to which the shard's entries were appended before this run. The key exists
    /// if the shard was ever used in the run.
    pub(crate) fn recovered(&self, shard: Shard) -> String {
        format!("{}.recovered", of_shard(&self.prefixes, shard))
    }

    /// What the names of the shard's entries begin with.
    pub(crate) fn entry_prefix(&self, shard: Shard) -> String {
        format!("{}:", of_shard(&self.prefixes, shard))
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
        name.push(':');
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_no_two_are_equal() {
        let dataset = Dataset::new("0123456789abcdef".to_owned(), 12).unwrap();
        let keyspace = Keyspace::new(&dataset);
        let run = keyspace.in_epoch("0123456789ab", Epoch::new(7));
        let shard = Shard(11);
        assert_eq!(run.clock(shard), "wc{ASNFZ4mrze8:11}ASNFZ4mr7.clock");
        assert_eq!(run.entry_prefix(shard), "wc{ASNFZ4mrze8:11}ASNFZ4mr7:");
        assert_eq!(keyspace.journal(shard), "wc{ASNFZ4mrze8:11}.journal");
        assert_eq!(run.entry_pattern(), "wc{ASNFZ4mrze8:*}ASNFZ4mr7:*");
        assert_eq!(keyspace.entry_pattern(), "wc{ASNFZ4mrze8:*}[^.]*:*");
        // An entry whatever its name is.
        for name in [".clock", "clock", ":", ""] {
            let entry = run.entry(&Key::from(name));
            assert!(entry.ends_with(&format!("ASNFZ4mr7:{name}")), "{entry}");
        }
        assert_eq!(run.run(), "0123456789ab.7");
    }

    #[test]
    fn a_single_shard_has_every_key() {
        let of = |shards| Keyspace::new(&Dataset::new("x".to_owned(), shards).unwrap());
        let used = |shards| {
            let keys = (0..100).map(|number| Key::from(&*number.to_string()));
            let used = keys.map(|key| of(shards).shard_of(&key).0);
            used.collect::<std::collections::BTreeSet<u16>>()
        };
        assert_eq!(used(1), [0].into());
        assert_eq!(used(3), [0, 1, 2].into());
        assert_eq!(of(1).with_shards(3).shards(), 3);
        assert_eq!(of(3).with_shards(1).shards(), 3);
    }
}
