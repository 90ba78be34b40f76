//! What a journal has lost: its server restarted with older data, or was emptied,
//! or has evicted a stream, which takes all entries of a shard at once.

use crate::error::{Part, Result};
use crate::journal::redis_stream::pending::Pending;
use crate::journal::redis_stream::seen::Found;
use crate::journal::redis_stream::stream::Stream;
use crate::journal::redis_stream::{RedisStreamJournal, first_id_after};
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::redis::{Direction, Link, Walk, versions};
use crate::telemetry;

impl RedisStreamJournal {
    /// Counts what is lost after a restart of which this process has only seen the end:
    /// another one has raised the clocks in `run`. Nothing drains from what is pending before.
    pub(super) async fn count_after_others(&self, run: &str) -> Result<()> {
        if self.seen.is_counted_in(run) {
            return Ok(());
        }
        self.count_lost(self.all_shards()).await?;
        self.seen.came_back(run);
        Ok(())
    }

    /// Compares what is known of `shards` with their streams now; counts and logs
    /// what is lost.
    pub(super) async fn count_lost(&self, shards: impl Iterator<Item = Shard>) -> Result<()> {
        let mut link = self.redis.link(Part::Journal).await?;
        let mut lost = 0;
        for shard in shards {
            // IMPORTANT: before the stream is looked at: what is appended meanwhile
            // would be missed in it otherwise.
            let before = self.seen.pending(shard);
            let appended = self.seen.appended_to(shard);
            let stream = Stream::ask(&mut link, &self.redis.keyspace, shard).await?;
            let acknowledged = self.seen.misses(shard, appended, stream.newest);
            let was_remade = self.seen.was_remade(shard, &stream.made);
            let (still, kept) = match (acknowledged, was_remade) {
                (None, false) => (0, None),
                (acknowledged, _) => {
                    let oldest = before.oldest().map(Version::just_before);
                    let after = acknowledged.into_iter().chain(oldest).min();
                    let after = after.unwrap_or_default();
                    let acknowledged = acknowledged.unwrap_or_default();
                    self.present(&mut link, shard, after, acknowledged, &before)
                        .await?
                }
            };
            lost += self.seen.count_lost(
                shard,
                Found {
                    appended,
                    newest: stream.newest,
                    depth: stream.depth,
                    still,
                    before,
                    kept,
                    made: stream.made,
                },
            );
        }
        if lost > 0 {
            telemetry::lost(lost);
            tracing::error!(
                entries_at_most = lost,
                "the journal has lost entries: these acknowledged writes are lost"
            );
        }
        Ok(())
    }

    /// How many writes of a stream are newer than `acknowledged`, and those of
    /// `pending` that are still there, all of which are newer than `after`.
    async fn present(
        &self,
        link: &mut Link,
        shard: Shard,
        after: Version,
        acknowledged: Version,
        pending: &Pending,
    ) -> Result<(u64, Option<Pending>)> {
        let (mut still, mut kept) = (0, Pending::default());
        let mut walk = Walk::new(shard, first_id_after(after), Direction::Up);
        loop {
            let page = walk.next(link, &self.redis).await?;
            if page.entries.is_empty() {
                return Ok((still, Some(kept)));
            }
            for entry in &page.entries {
                let Some((first, last)) = versions(entry) else {
                    continue;
                };
                let known = acknowledged.max(page.acknowledged(entry));
                let known = known.max(first.just_before());
                still += last.get().saturating_sub(known.get());
                for version in (first.get()..=last.get()).filter_map(Version::new) {
                    if pending.contains(version) {
                        kept.push(version);
                    }
                }
            }
        }
    }
}
