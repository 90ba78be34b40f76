//! Where a SQLite file is, and what it keeps of its binding.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use async_trait::async_trait;

use super::sql::binding::{
    begin_epoch_after, binding_row, exchange, identity, note_cache, note_newest, renew_identity,
};
use super::{SqliteStore, in_file};
use crate::binding::{BindingStore, Bound, Place};
use crate::error::Result;
use crate::model::version::Version;

fn place(path: &Path) -> std::io::Result<Place> {
    let path = path.canonicalize()?;
    let file = path.metadata()?;
    Ok(Place::Sqlite {
        inode: format!("{}:{}", file.dev(), file.ino()),
        path: path.display().to_string(),
    })
}

#[async_trait]
impl BindingStore for SqliteStore {
    async fn bound(&self) -> Result<Bound> {
        let place = place(&self.path).map_err(|error| in_file(&self.path, error))?;
        self.run(|connection| {
            Box::pin(async move {
                let identity = identity(connection).await?;
                let (token, previous, newest, served_by, shards) = binding_row(connection).await?;
                Ok(Bound {
                    identity,
                    token,
                    previous,
                    place,
                    newest: Version::from_i64(newest).unwrap_or_default(),
                    served_by,
                    shards: u16::try_from(shards).unwrap_or_default(),
                })
            })
        })
        .await
    }

    async fn exchange(&self, from: &str, to: &str) -> Result<bool> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.run(move |connection| Box::pin(async move { exchange(connection, &from, &to).await }))
            .await
    }

    async fn note_cache(&self, from: &str, to: &str) -> Result<bool> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.run(move |connection| {
            Box::pin(async move { note_cache(connection, &from, &to).await })
        })
        .await
    }

    async fn note_newest(&self, newest: Version) -> Result<()> {
        self.run(move |connection| Box::pin(note_newest(connection, newest.to_i64())))
            .await
    }

    async fn renew_identity(&self) -> Result<()> {
        self.run(|connection| Box::pin(renew_identity(connection)))
            .await
    }

    async fn begin_epoch_after(&self, epoch: u64) -> Result<()> {
        self.run(move |connection| Box::pin(begin_epoch_after(connection, epoch as i64)))
            .await
    }
}
