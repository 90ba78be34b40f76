//! What is known of every write, and so what must be read and stored.

use std::collections::BTreeMap;

use bytes::Bytes;
use cache_core::model::record::{Key, Record};
use cache_core::model::version::Version;

/// What a value contains that the database refuses.
pub(crate) const TOXIC: &str = "toxic";

pub(crate) fn is_toxic(body: Option<&Bytes>) -> bool {
    body.is_some_and(|body| body.ends_with(TOXIC.as_bytes()))
}

/// One write that was given a version.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) body: Option<Bytes>,
    pub(crate) acknowledged: bool,
    /// A server restarted without it.
    pub(crate) lost: bool,
}

impl Fact {
    pub(crate) fn is_toxic(&self) -> bool {
        is_toxic(self.body.as_ref())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Oracle {
    facts: BTreeMap<Key, BTreeMap<Version, Fact>>,
    /// The newest version of each name that a client was answered with.
    floors: BTreeMap<Key, Version>,
    /// The newest tombstone of each name that the database has removed.
    purged: BTreeMap<Key, Version>,
}

impl Oracle {
    /// A write was given a version.
    pub(crate) fn issued(&mut self, record: &Record) -> Result<(), String> {
        let fact = Fact {
            body: record.body.clone(),
            acknowledged: false,
            lost: false,
        };
        let of_name = self.facts.entry(record.key.clone()).or_default();
        match of_name.insert(record.version, fact) {
            None => Ok(()),
            Some(_) => Err(format!("{} was issued twice", shown(record))),
        }
    }

    pub(crate) fn acknowledged(&mut self, record: &Record) -> Result<(), String> {
        let of_name = self.facts.entry(record.key.clone()).or_default();
        let fact = of_name
            .get_mut(&record.version)
            .ok_or_else(|| format!("{} is not in the journal", shown(record)))?;
        if fact.body != record.body || fact.acknowledged {
            return Err(format!("{} is another write's", shown(record)));
        }
        fact.acknowledged = true;
        if !fact.lost {
            self.raise(&record.key, record.version);
        }
        Ok(())
    }

    fn raise(&mut self, key: &Key, version: Version) {
        let floor = self.floors.entry(key.clone()).or_default();
        *floor = version.max(*floor);
    }

    pub(crate) fn floor(&self, key: &Key) -> Version {
        self.floors.get(key).copied().unwrap_or_default()
    }

    /// A tombstone is in the database no more.
    pub(crate) fn is_purged(&mut self, tombstone: &Record) {
        let key = tombstone.key.clone();
        let purged = self.purged.entry(key).or_default();
        *purged = tombstone.version.max(*purged);
    }

    /// The tombstone of `key` that was removed.
    pub(crate) fn purged(&self, key: &Key) -> Option<Record> {
        self.purged.get(key).map(|version| Record {
            version: *version,
            ..Record::absent(key.clone())
        })
    }

    /// What a name is known as: one that is absent may have been purged.
    pub(crate) fn known(&self, record: &Record) -> Record {
        let purged = match (record.version, &record.body) {
            (Version::ZERO, None) => self.purged(&record.key),
            _ => None,
        };
        purged.unwrap_or_else(|| record.clone())
    }

    /// A read that began when the floor was `floor` ended with `record`.
    pub(crate) fn read(&mut self, floor: Version, record: &Record) -> Result<(), String> {
        let record = &self.known(record);
        // It is lower by now if a server has lost it.
        let is_kept = |(version, fact): &(&Version, &Fact)| **version <= floor && !fact.lost;
        let of_name = self.facts.get(&record.key).into_iter().flatten();
        let floor = of_name.filter(is_kept).map(|(version, _)| *version).max();
        let floor = floor.unwrap_or_default();
        if record.version < floor {
            return Err(format!("read {} though {floor} was seen", shown(record)));
        }
        let Some(fact) = self.fact(record) else {
            return match (record.version, &record.body) {
                (Version::ZERO, None) => Ok(()),
                _ => Err(format!("read {}, which no client wrote", shown(record))),
            };
        };
        if fact.body != record.body {
            return Err(format!("read {} with another's value", shown(record)));
        }
        if !fact.lost {
            self.raise(&record.key, record.version);
        }
        Ok(())
    }

    pub(crate) fn fact(&self, record: &Record) -> Option<&Fact> {
        self.facts.get(&record.key)?.get(&record.version)
    }

    /// Every write that is not lost, by name, oldest first.
    pub(crate) fn facts(&self) -> impl Iterator<Item = (&Key, Version, &Fact)> {
        self.facts.iter().flat_map(|(key, of_name)| {
            let kept = of_name.iter().filter(|(_, fact)| !fact.lost);
            kept.map(move |(version, fact)| (key, *version, fact))
        })
    }

    /// The newest version of all, of what is lost as well.
    pub(crate) fn newest_issued(&self) -> Version {
        let newest = self.facts.values().filter_map(BTreeMap::last_key_value);
        newest
            .map(|(version, _)| *version)
            .max()
            .unwrap_or_default()
    }

    /// The newest write of `key`, as far as `counts`.
    pub(crate) fn newest(&self, key: &Key, counts: impl Fn(&Fact) -> bool) -> Option<Record> {
        let of_name = self.facts.get(key)?.iter().rev();
        let mut kept = of_name.filter(|(_, fact)| !fact.lost && counts(fact));
        kept.next().map(|(version, fact)| Record {
            key: key.clone(),
            version: *version,
            body: fact.body.clone(),
        })
    }

    /// The name of `record` as its write found it.
    pub(crate) fn before(&self, record: &Record) -> Record {
        let of_name = self.facts.get(&record.key).into_iter();
        let mut older = of_name.flat_map(|of_name| of_name.range(..record.version));
        let before = older.next_back().map(|(version, fact)| Record {
            key: record.key.clone(),
            version: *version,
            body: fact.body.clone(),
        });
        before.unwrap_or_else(|| Record::absent(record.key.clone()))
    }

    /// All that a name has been since it was at `version`, that included.
    pub(crate) fn since(&self, key: &Key, version: Version) -> Vec<Record> {
        let next = version.get() + 1;
        let at = |version| Record {
            version,
            ..Record::absent(key.clone())
        };
        let before = Version::new(next).map(|next| self.before(&at(next)));
        let of_name = self.facts.get(key).into_iter().flatten();
        let newer = of_name.filter(|(of, _)| **of > version);
        let newer = newer.map(|(version, fact)| Record {
            body: fact.body.clone(),
            ..at(*version)
        });
        before.into_iter().chain(newer).collect()
    }

    /// The versions that a name has had.
    pub(crate) fn versions(&self, key: &Key) -> Vec<Version> {
        let of_name = self.facts.get(key).into_iter();
        of_name.flat_map(BTreeMap::keys).copied().collect()
    }

    /// Whether some write has this value.
    pub(crate) fn has_value(&self, key: &Key, body: &Bytes) -> bool {
        let of_name = self.facts.get(key);
        of_name.is_some_and(|facts| facts.values().any(|fact| fact.body.as_ref() == Some(body)))
    }

    /// Of the writes that are not lost, those for which `kept` does not hold
    /// are now.
    pub(crate) fn lose(&mut self, kept: impl Fn(&Key, Version, &Fact) -> bool) -> usize {
        let mut lost = 0;
        for (key, of_name) in &mut self.facts {
            for (version, fact) in of_name.iter_mut().filter(|(_, fact)| !fact.lost) {
                fact.lost = !kept(key, *version, fact);
                lost += usize::from(fact.lost);
            }
            let left = of_name.iter().filter(|(_, fact)| !fact.lost);
            let newest = left.map(|(version, _)| *version).max().unwrap_or_default();
            if let Some(floor) = self.floors.get_mut(key) {
                *floor = newest.min(*floor);
            }
        }
        lost
    }
}

/// A record as traces show it.
pub(crate) fn shown(record: &Record) -> String {
    let body = record.body.as_ref().map_or("deleted".into(), |body| {
        String::from_utf8_lossy(body).into_owned()
    });
    format!("{}@{}={body}", record.key.as_str(), short(record.version))
}

/// A version without what all of a run have in common.
pub(crate) fn short(version: Version) -> i64 {
    let number = version.get() as i64;
    if number > 1_000_000 {
        number - crate::world::EPOCH_US as i64
    } else {
        number
    }
}

pub(crate) fn all_shown<'a>(records: impl IntoIterator<Item = &'a Record>) -> String {
    let shown: Vec<String> = records.into_iter().map(shown).collect();
    format!("[{}]", shown.join(", "))
}
