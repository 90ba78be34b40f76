//! Appending a batch: one call of a script a shard.

use std::sync::LazyLock;

use bytes::Bytes;
use deadpool_redis::redis::Script;

use crate::error::{Error, Part, Result};
use crate::journal::redis_stream::{RedisStreamJournal, condition, corrupt};
use crate::model::decision::Decision;
use crate::model::record::{Condition, Write};
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::redis::{Call, Link, encode_version, newest, pack, parse_version};

static APPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../../redis/forms.lua"),
        include_str!("../../redis/clock.lua"),
        include_str!("../../redis/next_version.lua"),
        include_str!("../../redis/waiting.lua"),
        include_str!("append.lua")
    ))
});

/// The answer of the script: the first version, a verdict on each write, how many wait.
type Answer = (Bytes, Bytes, u64);

/// About how many bytes the arguments of a call have besides names and writes.
const OTHER_BYTES: usize = 256;

/// The places in a batch of the writes of one shard.
type OfShard = (Shard, Vec<usize>);

impl RedisStreamJournal {
    pub(super) async fn append_all(
        &self,
        link: &mut Link,
        writes: &[Write],
    ) -> Vec<Result<Decision>> {
        let mut appended =
            vec![Err(corrupt("the append script answered too little")); writes.len()];
        let shards = self.by_shard(writes, &mut appended);
        let calls = shards
            .iter()
            .map(|of_shard| self.call(link, writes, of_shard));
        let calls = calls.collect();
        let wait = self.wait_for.command();
        let (answers, waited) = link.each_script::<Answer>(calls, wait).await;
        let too_few = waited.and_then(|waited| self.wait_for.is_met(waited).err());
        for ((shard, places), answer) in shards.iter().zip(answers) {
            let answers = self.take(link, *shard, places.len(), answer);
            for (place, answer) in places.iter().zip(answers) {
                if let Some(appended) = appended.get_mut(*place) {
                    *appended = match (&too_few, answer) {
                        (Some(error), Ok(Decision::Written(_))) => Err(error.clone()),
                        (_, answer) => answer,
                    };
                }
            }
        }
        appended
    }

    /// Writes as an append does, and waits as long, but leaves nothing.
    pub(super) async fn try_to_append(&self, link: &mut Link) -> Result<()> {
        let wait = self.wait_for.command();
        let (written, waited) = link.each_script::<()>(vec![self.redis.probe()], wait).await;
        written.into_iter().collect::<Result<()>>()?;
        waited.map_or(Ok(()), |waited| self.wait_for.is_met(waited))
    }

    /// Writes that must not be appended now are answered in `appended`.
    fn by_shard(&self, writes: &[Write], appended: &mut [Result<Decision>]) -> Vec<OfShard> {
        let keyspace = &self.redis.keyspace;
        let mut shards: Vec<OfShard> = Vec::new();
        // Where in `shards`, by shard.
        let mut found = vec![usize::MAX; keyspace.shards().into()];
        for ((place, write), appended) in writes.iter().enumerate().zip(appended) {
            let shard = keyspace.shard_of(&write.key);
            // It would be judged by what the cache holds.
            if write.condition != Condition::Always && self.redis.evictions().is_suspect(shard) {
                *appended = Err(self.redis.evictions().refusal());
                continue;
            }
            let Some(at) = found.get_mut(usize::from(shard.0)) else {
                continue;
            };
            if *at == usize::MAX {
                *at = shards.len();
                let places = writes.len() / usize::from(keyspace.shards()).max(1);
                shards.push((shard, Vec::with_capacity(places)));
            }
            if let Some((_, places)) = shards.get_mut(*at) {
                places.push(place);
            }
        }
        shards
    }

    fn call(&self, link: &Link, writes: &[Write], (shard, places): &OfShard) -> Call<'static> {
        let keyspace = &self.redis.keyspace;
        let writes = places.iter().filter_map(|place| writes.get(*place));
        let packed = pack(
            places.len(),
            writes.clone().map(|write| {
                let body = write.body.as_deref().unwrap_or_default();
                (write.key.as_str().as_bytes(), body)
            }),
        );
        // The packed writes are longer than their keys.
        let names_bytes = places.len() * link.keys.entry_prefix(*shard).len() + packed.len();
        let bytes = OTHER_BYTES + names_bytes + packed.len();
        let keys = 3 + places.len();
        let mut call = Call::with_room(&APPEND, keys, keys + 4, bytes);
        call.arg(link.keys.clock(*shard))
            .arg(keyspace.journal(*shard))
            .arg(keyspace.waiting(*shard));
        let mut name = String::new();
        for write in writes.clone() {
            link.keys.write_entry(*shard, &write.key, &mut name);
            call.arg(&name);
        }
        // The loop that drains it in this process is woken without the server.
        if self.held.holds(*shard) {
            call.arg("");
        } else {
            call.arg(keyspace.wake_channel());
        }
        call.arg(shard.0)
            .arg(encode_version(self.redis.issued().newest(*shard)))
            .arg(packed);
        if writes
            .clone()
            .any(|write| write.condition != Condition::Always)
        {
            for write in writes {
                call.arg(&*condition::encode(&write.condition));
            }
        }
        call
    }

    /// Notes what a shard's script has answered to `count` writes. Returns the answer to each.
    fn take(
        &self,
        link: &Link,
        shard: Shard,
        count: usize,
        answer: Result<Answer>,
    ) -> Vec<Result<Decision>> {
        let (first, verdicts, depth) = match answer {
            Ok(answer) => answer,
            Err(error) => return vec![Err(error); count],
        };
        let answers = match verdicts.is_empty() {
            true => parse_answer(&first, std::iter::repeat_n(&b'w', count)),
            false => parse_answer(&first, verdicts.iter()),
        };
        self.seen.appended(shard, &answers, depth);
        match self.tell(link, shard, newest_of(&answers)) {
            Ok(()) => {
                let issued = self.seen.appended_to(shard);
                self.redis.issued().saw(shard, issued);
                answers
            }
            Err(error) => vec![Err(error); count],
        }
    }
}

fn newest_of(answers: &[Result<Decision>]) -> Version {
    newest(answers.iter().filter_map(|answer| match answer {
        Ok(Decision::Written(version)) => Some(*version),
        _ => None,
    }))
}

/// What became of each write: those that took place have versions that follow
/// each other.
fn parse_answer<'a>(first: &[u8], verdicts: impl Iterator<Item = &'a u8>) -> Vec<Result<Decision>> {
    let first = parse_version(first);
    let mut written = 0;
    let verdicts = verdicts.map(|verdict| match verdict {
        b'f' => Ok(Decision::ConditionFailed),
        b'u' => Ok(Decision::Retry),
        b'w' => {
            let version = first.and_then(|first| Version::new(first.get() + written));
            written += 1;
            version.map(Decision::Written).ok_or_else(|| {
                Error::unavailable(Part::Journal, "the server has no version to issue")
            })
        }
        _ => Err(corrupt("the append script's answer has no known form")),
    });
    verdicts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_follow_each_other_over_what_was_not_written() {
        let answers = parse_answer(b"0000000000000007", b"wfwuw".iter());
        let answers: Result<Vec<Decision>> = answers.into_iter().collect();
        let at = |number| Decision::Written(Version::new(number).unwrap());
        assert_eq!(
            answers.unwrap(),
            [
                at(7),
                Decision::ConditionFailed,
                at(8),
                Decision::Retry,
                at(9)
            ]
        );
        assert!(parse_answer(b"x", b"w".iter())[0].is_err());
        assert!(parse_answer(b"7", b"?".iter())[0].is_err());
    }
}
