//! What the journal in Redis has of one name, for an operator. Reads only.

use super::dead_letters;
use crate::error::{Part, Result};
use crate::journal::Waiting;
use crate::model::record::Key;
use crate::redis::{Direction, Redis, Walk, unpack};

/// What the journal has of `key`.
///
/// # Errors
/// When the server is unavailable.
pub(crate) async fn waiting_of(redis: &Redis, key: &Key) -> Result<Waiting> {
    let mut link = redis.link(Part::Journal).await?;
    let shard = redis.keyspace.shard_of(key);
    let mut waiting = Waiting::default();
    let mut walk = Walk::new(shard, "-".to_owned(), Direction::Up);
    loop {
        let page = walk.next(&mut link, redis).await?;
        if page.entries.is_empty() {
            break;
        }
        for entry in &page.entries {
            let known = unpack(entry, page.acknowledged(entry), &mut waiting.entries);
            waiting.unreadable += u64::from(known.is_none());
        }
        waiting.entries.retain(|record| record.key == *key);
    }
    waiting.dead_letter = dead_letters::find(redis, key).await?;
    Ok(waiting)
}
