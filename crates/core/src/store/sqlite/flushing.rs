//! When SQLite brings what it commits to the disk.

use diesel::QueryableByName;
use diesel::result::QueryResult;
use diesel::sql_types::{Integer, Text};
use diesel_async::RunQueryDsl;

use super::Connection;
use crate::store::durability::Survives;

/// What a connection does at a commit.
#[derive(Clone, Debug)]
pub(super) struct Flushing {
    synchronous: i32,
    journal_mode: String,
}

#[derive(QueryableByName)]
struct Synchronous {
    #[diesel(sql_type = Integer)]
    synchronous: i32,
}

#[derive(QueryableByName)]
struct JournalMode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

impl Flushing {
    pub(super) async fn ask(connection: &mut Connection) -> QueryResult<Flushing> {
        let synchronous = diesel::sql_query("PRAGMA synchronous");
        let Synchronous { synchronous } = synchronous.get_result(connection).await?;
        let journal_mode = diesel::sql_query("PRAGMA journal_mode");
        let JournalMode { journal_mode } = journal_mode.get_result(connection).await?;
        Ok(Flushing {
            synchronous,
            journal_mode,
        })
    }

    pub(super) fn survives(&self) -> Survives {
        match (self.synchronous, self.journal_mode.as_str()) {
            (_, "off" | "memory") => Survives::ServiceCrash,
            (2.., _) => Survives::PowerLoss,
            _ => Survives::ServerCrash,
        }
    }

    pub(super) fn in_words(&self) -> String {
        let survives = match self.survives() {
            Survives::PowerLoss => "survives a power loss",
            Survives::ServerCrash => "survives a crash of this service, not a power loss",
            Survives::ServiceCrash => "a crash of this service may take all of it",
        };
        let synchronous = match self.synchronous {
            0 => "OFF",
            1 => "NORMAL",
            2 => "FULL",
            _ => "EXTRA",
        };
        let journal_mode = &self.journal_mode;
        format!("{survives}: synchronous={synchronous}, journal_mode={journal_mode}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_full_does_not_survive_a_power_loss() {
        for (synchronous, journal_mode, survives) in [
            (2, "wal", Survives::PowerLoss),
            (3, "delete", Survives::PowerLoss),
            (1, "wal", Survives::ServerCrash),
            (0, "wal", Survives::ServerCrash),
            (2, "memory", Survives::ServiceCrash),
        ] {
            let flushing = Flushing {
                synchronous,
                journal_mode: journal_mode.to_owned(),
            };
            assert_eq!(flushing.survives(), survives, "{}", flushing.in_words());
        }
    }
}
