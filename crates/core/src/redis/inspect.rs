//! Finding the data of a database that is unavailable, for an operator. Reads only.

use std::time::{Duration, Instant};

use deadpool_redis::redis::cmd;

use crate::binding::{Binding, Place};
use crate::dataset::Dataset;
use crate::error::{Error, Part, Result};
use crate::redis::{Link, Redis};

/// How many keys of the server one step of a search looks at.
const SCANNED: usize = 1_000;
/// How long a search takes at most. After 10 s it is cut off, and then its reason is lost.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(9);

impl Redis {
    /// The data of the databases of this name that this server knows, without asking the database.
    ///
    /// # Errors
    /// When the server is unavailable.
    pub(crate) async fn known_datasets(&self, database: &str) -> Result<Vec<Dataset>> {
        let mut link = self.link(Part::Cache).await?;
        let mut found = Vec::new();
        for name in bindings(&mut link).await? {
            let stored: Option<String> = link.command(cmd("GET").arg(&name)).await?;
            let binding = stored.as_deref().and_then(Binding::parse);
            let identity = name
                .strip_prefix(START)
                .and_then(|name| name.strip_suffix(END));
            if let (
                Some(Binding {
                    shards: Some(shards),
                    place,
                    ..
                }),
                Some(identity),
            ) = (binding, identity)
                && matches!(&place, Place::Mysql { database: name, .. } if name == database)
            {
                found.push(Dataset::new(identity.to_owned(), shards.into())?);
            }
        }
        Ok(found)
    }
}

/// The names of bindings: see `keyspace.rs`.
const START: &str = "wc:{";
const END: &str = "}:binding";

async fn bindings(link: &mut Link) -> Result<Vec<String>> {
    let (began, mut cursor, mut names) = (Instant::now(), 0_u64, Vec::new());
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{START}*{END}"));
        let (next, found): (u64, Vec<String>) =
            link.command(scan.arg("COUNT").arg(SCANNED)).await?;
        names.extend(found);
        cursor = next;
        if cursor == 0 {
            names.sort();
            names.dedup();
            return Ok(names);
        }
        if began.elapsed() > SEARCH_TIME_MAX {
            let reason =
                "it has too many keys to find those of this database without asking the database";
            return Err(Error::unavailable(Part::Cache, reason));
        }
    }
}
