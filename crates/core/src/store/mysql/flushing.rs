//! When the server brings what it commits to its disk.

use diesel::QueryableByName;
use diesel::result::QueryResult;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncMysqlConnection, RunQueryDsl};

use crate::store::durability::Survives;

/// What the server is told to do at a commit.
#[derive(Clone, Copy, Debug, QueryableByName)]
pub(super) struct Flushing {
    #[diesel(sql_type = BigInt)]
    flush_log: i64,
    #[diesel(sql_type = BigInt)]
    sync_binlog: i64,
    #[diesel(sql_type = BigInt)]
    log_bin: i64,
}

impl Flushing {
    /// As it is now, also over a connection that is older: these have no value of a
    /// session's own.
    pub(super) async fn ask(connection: &mut AsyncMysqlConnection) -> QueryResult<Flushing> {
        let query = "SELECT CAST(@@innodb_flush_log_at_trx_commit AS SIGNED) AS flush_log, \
                     CAST(@@sync_binlog AS SIGNED) AS sync_binlog, \
                     CAST(@@log_bin AS SIGNED) AS log_bin";
        diesel::sql_query(query).get_result(connection).await
    }

    pub(super) fn survives(self) -> Survives {
        match self.flush_log {
            // IMPORTANT: where there is a binary log, recovery rolls back what is not in it.
            1 if self.log_bin == 0 || self.sync_binlog == 1 => Survives::PowerLoss,
            1 | 2 => Survives::ServerCrash,
            _ => Survives::ServiceCrash,
        }
    }

    pub(super) fn in_words(self) -> String {
        let survives = match (self.survives(), self.flush_log) {
            (Survives::PowerLoss, _) => "survives a power loss",
            (Survives::ServerCrash, 1) => {
                "survives a crash of the server; a power loss takes what its binary log has not on disk"
            }
            (Survives::ServerCrash, _) => {
                "survives a crash of the server; a power loss takes up to about the last second"
            }
            (Survives::ServiceCrash, _) => {
                "a crash of the server takes up to about the last second"
            }
        };
        let (flush_log, sync_binlog) = (self.flush_log, self.sync_binlog);
        let binlog = match self.log_bin {
            0 => "no binary log".to_owned(),
            _ => format!("sync_binlog={sync_binlog}"),
        };
        format!("{survives}: innodb_flush_log_at_trx_commit={flush_log}, {binlog}")
    }
}
