//! Finding the data of a database that is unavailable, for an operator. Reads only.

use std::collections::BTreeSet;

use deadpool_redis::redis::cmd;

use crate::binding::{Binding, Place};
use crate::error::{Part, Result};
use crate::model::dataset::Dataset;
use crate::redis::keyspace::{binding_pattern, identity_of_binding};
use crate::redis::{Link, Redis};

/// How many keys of the server one step of a search looks at.
const SCANNED: usize = 1_000;

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
            if let (
                Some(Binding {
                    shards: Some(shards),
                    place,
                    ..
                }),
                Some(identity),
            ) = (binding, identity_of_binding(&name))
                && matches!(&place, Place::Mysql { database: name, .. } if name == database)
            {
                found.push(Dataset::new(identity.to_owned(), shards.into())?);
            }
        }
        Ok(found)
    }
}

/// The names of the keys of all bindings.
async fn bindings(link: &mut Link) -> Result<BTreeSet<String>> {
    let (mut cursor, mut names) = (0_u64, BTreeSet::new());
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(binding_pattern());
        let (next, found): (u64, Vec<String>) =
            link.command(scan.arg("COUNT").arg(SCANNED)).await?;
        names.extend(found);
        cursor = next;
        if cursor == 0 {
            return Ok(names);
        }
    }
}
