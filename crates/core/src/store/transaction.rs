//! How an operation on a database ends that did not succeed.

use diesel::result::Error as DieselError;

/// Why an operation failed, as far as it matters for doing it again.
#[derive(Debug)]
pub(super) enum TransactionError {
    /// The database would refuse it again. Nothing took place.
    Refused(String),
    /// The epoch that it was to take place in has ended, or what came after it may
    /// have been purged. Nothing took place.
    Fenced,
    /// Another transaction did not release its locks in time. Nothing took place.
    Locked,
    /// It stood in the way of another transaction. Nothing took place, and it may
    /// succeed when it is done again.
    Deadlocked,
    /// This version of it is above the ceiling. Nothing took place.
    Beyond(i64),
    /// Something else; doing it again does no harm.
    Broken(String),
    /// It may have been committed, and doing it again may end otherwise.
    Uncertain(String),
}

/// How an operation ended.
pub(super) type Tried<T> = std::result::Result<T, TransactionError>;

impl TransactionError {
    pub(super) fn broken(error: impl std::fmt::Display) -> TransactionError {
        TransactionError::Broken(error.to_string())
    }
}

/// What only reads, or repeats what it did, may be done again.
impl From<DieselError> for TransactionError {
    fn from(error: DieselError) -> TransactionError {
        TransactionError::broken(error)
    }
}

/// What may be in the way of a row that an operation reads to decide by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    /// Others may read it with this lock, too; none can change it.
    Shared,
    /// No other transaction can read it with a lock.
    Exclusive,
}

/// Defines the module-private transactions for one connection type. The module
/// has a `DIALECT` and a `diagnosed`, which says why a statement failed.
macro_rules! transactions {
    ($connection:ty) => {
        use std::collections::HashSet;

        use crate::store::ceiling::{self, Ceiling};
        use crate::store::judge::{Proposal, judge};
        use crate::store::transaction::{TransactionError, Tried};

        async fn begin(connection: &mut $connection) -> Tried<()> {
            Ok(connection.batch_execute(BEGIN).await?)
        }

        /// Ends the transaction as `done` says. What fails here may have been
        /// committed.
        async fn end<T>(connection: &mut $connection, done: Tried<T>) -> Tried<T> {
            match done {
                Ok(answer) => commit(connection).await.map(|()| answer),
                Err(failed) => roll_back(connection, failed).await,
            }
        }

        /// Ends the transaction, since an open one would be in the way of the connection's next user.
        async fn roll_back<T>(connection: &mut $connection, failed: TransactionError) -> Tried<T> {
            connection.batch_execute("ROLLBACK").await?;
            Err(failed)
        }

        async fn commit(connection: &mut $connection) -> Tried<()> {
            let done = connection.batch_execute("COMMIT").await;
            match diagnosed(connection, done).await {
                Err(TransactionError::Broken(reason)) => Err(TransactionError::Broken(reason)),
                // IMPORTANT: nothing took place, and some of these errors leave the transaction open.
                Err(failed) => roll_back(connection, failed).await,
                Ok(()) => Ok(()),
            }
        }

        async fn apply(
            connection: &mut $connection,
            ceiling: &Ceiling,
            rows: &[Row],
            origin: Origin,
        ) -> Tried<()> {
            let newest = rows.iter().map(|row| row.version).max();
            let newest = newest.unwrap_or_default();
            let mut attempts = 0;
            let done = loop {
                let at = at_or_above(connection, ceiling, newest).await?;
                let done = apply_below(connection, rows, origin, at).await;
                attempts += 1;
                if !matches!(done, Err(TransactionError::Fenced))
                    || attempts == ceiling::ATTEMPTS_MAX
                    || reread(connection, ceiling).await? == at
                {
                    break done;
                }
            };
            let done = match done {
                // No epoch fences these off, so some of them are that old.
                Err(TransactionError::Fenced)
                    if matches!(origin, Origin::Drained | Origin::Replayed) =>
                {
                    apply_late(connection, rows, origin).await
                }
                done => done,
            };
            done.inspect(|()| {
                ceiling.wrote(newest);
                statements::committed(rows.len());
            })
        }

        /// Applies rows if the ceiling is `at`, which is above them.
        async fn apply_below(
            connection: &mut $connection,
            rows: &[Row],
            origin: Origin,
            at: i64,
        ) -> Tried<()> {
            if rows.len() <= ROWS_MAX {
                // One statement is a transaction by itself.
                return upsert(connection, Upsert::guarded(rows, origin, at)).await;
            }
            begin(connection).await?;
            let mut done = Ok(());
            for rows in rows.chunks(ROWS_MAX) {
                done = upsert(connection, Upsert::guarded(rows, origin, at)).await;
                if done.is_err() {
                    break;
                }
            }
            end(connection, done).await
        }

        /// The ceiling, which is raised where it is below `newest`.
        async fn at_or_above(
            connection: &mut $connection,
            ceiling: &Ceiling,
            newest: i64,
        ) -> Tried<i64> {
            if ceiling.known() >= newest {
                return Ok(ceiling.known());
            }
            // Another process may have raised it.
            if reread(connection, ceiling).await? < newest {
                let above = ceiling::above(newest, Version::now().to_i64());
                let raise = diesel::update(cache_epoch::table.find(1))
                    .filter(cache_epoch::reserved_through.lt(newest))
                    .set(cache_epoch::reserved_through.eq(above));
                let raised = raise.execute(connection).await;
                diagnosed(connection, raised).await?;
            }
            match reread(connection, ceiling).await? {
                at if at >= newest => Ok(at),
                _ => Err(TransactionError::broken(
                    "cache_epoch has no ceiling: restart the service",
                )),
            }
        }

        /// The ceiling as the database has it now.
        async fn reread(connection: &mut $connection, ceiling: &Ceiling) -> QueryResult<i64> {
            let at = reserved_through(connection).await?.unwrap_or(-1);
            ceiling.learn(at);
            Ok(at)
        }

        async fn upsert(connection: &mut $connection, upsert: Upsert<'_>) -> Tried<()> {
            statements::write(upsert.rows_written());
            let done = upsert.execute(connection).await;
            diagnosed(connection, done).await.map(drop)
        }

        async fn transact(
            connection: &mut $connection,
            ceiling: &Ceiling,
            proposals: &[Proposal],
            fence: Option<Epoch>,
        ) -> Tried<Vec<Decision>> {
            let versions = proposals.iter().map(|proposal| proposal.version);
            let versions = versions.map(|version| version.unwrap_or_else(Version::now));
            let mut newest = versions.max().unwrap_or_default().to_i64();
            for _ in 1..ceiling::ATTEMPTS_MAX {
                // IMPORTANT: before the transaction, which holds the row that this changes.
                at_or_above(connection, ceiling, newest).await?;
                match transact_below(connection, ceiling, proposals, fence).await {
                    Err(TransactionError::Beyond(version)) => newest = version,
                    done => return done,
                }
            }
            Err(TransactionError::broken(
                "the versions are ahead of the ceiling again and again",
            ))
        }

        async fn transact_below(
            connection: &mut $connection,
            ceiling: &Ceiling,
            proposals: &[Proposal],
            fence: Option<Epoch>,
        ) -> Tried<Vec<Decision>> {
            begin(connection).await?;
            match judged(connection, ceiling, proposals, fence).await {
                Ok((decisions, rows)) => match commit(connection).await {
                    Ok(()) => {
                        let written = decisions.iter().filter_map(|decision| decision.version());
                        if let Some(newest) = written.max() {
                            ceiling.wrote(newest.to_i64());
                            statements::committed(rows);
                        }
                        Ok(decisions)
                    }
                    Err(TransactionError::Broken(reason)) => {
                        Err(TransactionError::Uncertain(reason))
                    }
                    Err(failed) => Err(failed),
                },
                Err(failed) => roll_back(connection, failed).await,
            }
        }

        /// Returns how many rows it wrote as well.
        async fn judged(
            connection: &mut $connection,
            ceiling: &Ceiling,
            proposals: &[Proposal],
            fence: Option<Epoch>,
        ) -> Tried<(Vec<Decision>, usize)> {
            statements::read();
            // IMPORTANT: held until the end, so that nothing is purged meanwhile.
            let epoch = epoch(connection, Lock::Shared).await?;
            let floor = to_floor(epoch.purged_through).map_err(TransactionError::broken)?;
            // It stays that as well.
            let at = epoch.reserved_through.unwrap_or(-1);
            ceiling.learn(at);
            let is_late =
                |proposal: &Proposal| proposal.version.is_some_and(|version| version <= floor);
            if fence.is_some_and(|fence| epoch.number() != fence) || proposals.iter().any(is_late) {
                return Err(TransactionError::Fenced);
            }
            // A row that was purged may have been as new as that.
            let now = floor
                .next()
                .map_or(Version::MAX, |next| next.max(Version::now()));
            let mut keys: Vec<Key> = proposals
                .iter()
                .map(|proposal| proposal.write.key.clone())
                .collect();
            keys.sort_unstable();
            keys.dedup();
            hold(connection, &keys).await?;
            let rows = load_many(connection, ceiling, &keys).await?;
            let rows: Vec<Record> = rows.iter().map(row::judged).collect();
            let made = rows.iter().filter(|row| row.version == Version::ZERO);
            let mut made: Vec<Key> = made
                .filter(|row| row.body.is_none())
                .map(|row| row.key.clone())
                .collect();
            let (decisions, records) = judge(proposals, rows, now);
            let rows = records.iter().map(Row::from_record);
            let rows: Vec<Row> = rows
                .collect::<crate::error::Result<_>>()
                .map_err(|error| TransactionError::Refused(error.to_string()))?;
            let newest = rows.iter().map(|row| row.version).max();
            if let Some(version) = newest.filter(|version| *version > at) {
                return Err(TransactionError::Beyond(version));
            }
            for rows in rows.chunks(ROWS_MAX) {
                upsert(connection, Upsert::held(rows, Order::Judged, at)).await?;
            }
            let written: HashSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
            made.retain(|key| !written.contains(key.as_str()));
            release(connection, &made).await?;
            Ok((decisions, rows.len()))
        }
    };
}

pub(super) use transactions;
