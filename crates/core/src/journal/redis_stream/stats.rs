//! How much waits in each shard.

use std::sync::LazyLock;

use bytes::Bytes;
use deadpool_redis::redis::Script;

use crate::error::{Part, Result};
use crate::journal::redis_stream::RedisStreamJournal;
use crate::model::shard::{Shard, ShardStats};
use crate::redis::{Call, Link, Over, RunKeys, encode_version, parse_version};

static STATS: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../../redis/forms.lua"),
        include_str!("../../redis/clock.lua"),
        include_str!("../../redis/waiting.lua"),
        include_str!("stats.lua")
    ))
});

/// The answer of the script: depth, bytes, oldest, oldest that is held, newest, age of the oldest in microseconds,
/// drained, dead, held back, its bytes, and what tells the stream from one that is made in its place.
type Answer = (
    u64,
    u64,
    Bytes,
    Bytes,
    Bytes,
    u64,
    u64,
    u64,
    u64,
    u64,
    Bytes,
);

impl RedisStreamJournal {
    /// How each shard is now. Notices that entries are lost, too.
    pub(super) async fn shard_stats(&self) -> Result<Vec<ShardStats>> {
        let appended = self.seen.newest_appended();
        let ask = |mut link: Link| async move {
            let keys = link.keys.clone();
            let answers = link.scripts(self.ask_stats(&keys)).await?;
            Ok((keys, answers))
        };
        let (keys, answers): (_, Vec<Answer>) =
            self.redis.ask(Over::Shared, Part::Journal, ask).await?;
        let remade = self.all_shards().zip(&answers);
        let remade = remade.filter(|(shard, answer)| self.seen.was_remade(*shard, &answer.10));
        // What had been appended to another stream than this one is not drained.
        let remade: Vec<Shard> = remade.map(|(shard, _)| shard).collect();
        if !remade.is_empty() {
            self.count_lost(remade.iter().copied()).await?;
        }
        if answers.iter().all(|answer| !answer.4.is_empty()) {
            self.count_after_others(keys.run()).await?;
        }
        let stats =
            self.all_shards()
                .zip(answers)
                .zip(appended)
                .map(|((shard, answer), appended)| {
                    let (depth, bytes, oldest, held, newest, ..) = answer;
                    let (.., oldest_age_us, drained, dead, held_back, held_back_bytes, _) = answer;
                    // Without a clock the server has just restarted or was emptied: that nothing waits says
                    // nothing then.
                    if !newest.is_empty() && !remade.contains(&shard) {
                        self.seen
                            .waits(keys.run(), shard, appended, parse_version(&oldest), depth);
                    }
                    ShardStats {
                        shard,
                        depth,
                        bytes,
                        oldest: parse_version(&oldest),
                        oldest_held: parse_version(&held),
                        newest: parse_version(&newest),
                        oldest_age_us,
                        drained,
                        dead,
                        held_back,
                        held_back_bytes,
                    }
                });
        Ok(stats.collect())
    }

    fn ask_stats(&self, keys: &RunKeys) -> Vec<Call<'static>> {
        let keyspace = &self.redis.keyspace;
        let call = |shard| {
            let names = vec![
                keyspace.journal(shard),
                keys.clock(shard),
                keyspace.drained(shard),
                keyspace.dead(shard),
                keyspace.waiting(shard),
                keyspace.held_back(shard),
                keyspace.held_back_bytes(shard),
            ];
            let mut call = Call::new(&STATS, names);
            call.arg(encode_version(self.redis.issued().newest(shard)));
            call
        };
        self.all_shards().map(call).collect()
    }
}
