//! Which databases were made on a server, and removing them with what belongs to them.

use crate::error::Result;
use crate::server_url::ServerUrl;
use crate::servers::{mysql, redis};
use crate::started;

/// The names of databases that were made, or were about to be, and not dropped yet.
#[derive(Debug, Default)]
pub(super) struct Leftovers(Vec<String>);

impl Leftovers {
    pub(super) fn add(&mut self, server: &ServerUrl, name: String) {
        started::note_database(in_words(server, &name));
        self.0.push(name);
    }

    pub(super) fn forget(&mut self, server: &ServerUrl, name: &str) {
        started::forget_database(&in_words(server, name));
        self.0.retain(|kept| kept != name);
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.clone()
    }
}

fn in_words(server: &ServerUrl, name: &str) -> String {
    format!("{name} on {server}")
}

/// `compare_<what>_<16 hexadecimal digits>`.
pub(super) fn unique_name(what: &str) -> String {
    format!("compare_{what}_{:016x}", fastrand::u64(..))
}

/// Removes what is in Redis for a database, and drops it.
pub(super) async fn remove(cache: &ServerUrl, server: &ServerUrl, name: &str) -> Result<()> {
    let database = server.with_database(name);
    // IMPORTANT: first what is in Redis, since only the database knows by which name.
    let removed = match mysql::identity(&database).await {
        Ok(Some(identity)) => redis::remove_keys_of(cache, &identity).await.map(drop),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    removed?;
    // What a plain handler keeps there.
    redis::remove_key(cache, name).await?;
    mysql::drop_database(server, name).await
}
