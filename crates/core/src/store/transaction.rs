//! How an operation on a database ends that did not succeed.

use diesel::result::Error as DieselError;

/// Why an operation failed, as far as it matters for doing it again.
#[derive(Debug)]
pub(super) enum Failed {
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
    /// Something else; doing it again does no harm.
    Broken(String),
    /// It may have been committed, and doing it again may end otherwise.
    Uncertain(String),
}

/// How an operation ended.
pub(super) type Tried<T> = std::result::Result<T, Failed>;

impl Failed {
    pub(super) fn broken(error: impl std::fmt::Display) -> Failed {
        Failed::Broken(error.to_string())
    }
}

/// What only reads, or repeats what it did, may be done again.
impl From<DieselError> for Failed {
    fn from(error: DieselError) -> Failed {
        Failed::broken(error)
    }
}

/// What may be in the way of a row that an operation reads to decide by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    /// Others may read it too, and nobody changes it.
    Shared,
    /// Nobody else reads it so.
    Exclusive,
}

/// Defines the module-private transactions for one connection type. The module
/// has a `DIALECT` and a `diagnosed`, which says why a statement failed.
macro_rules! transactions {
    ($connection:ty) => {
        use std::collections::HashSet;

        use crate::store::judge::{Proposal, Verdict, judge};
        use crate::store::transaction::{Failed, Tried};

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
        async fn roll_back<T>(connection: &mut $connection, failed: Failed) -> Tried<T> {
            connection.batch_execute("ROLLBACK").await?;
            Err(failed)
        }

        async fn commit(connection: &mut $connection) -> Tried<()> {
            let done = connection.batch_execute("COMMIT").await;
            match diagnosed(connection, done).await {
                Err(Failed::Broken(reason)) => Err(Failed::Broken(reason)),
                // IMPORTANT: nothing took place, and some of these errors leave the transaction open.
                Err(failed) => roll_back(connection, failed).await,
                Ok(()) => Ok(()),
            }
        }

        async fn apply(connection: &mut $connection, rows: &[Row], origin: Origin) -> Tried<()> {
            let done = match rows.len() <= ROWS_MAX {
                // One statement is a transaction by itself.
                true => upsert(connection, rows.len(), Upsert::guarded(rows, origin)).await,
                false => apply_in_parts(connection, rows, origin).await,
            };
            let done = match done {
                // No epoch fences these off, so some of them are that old.
                Err(Failed::Fenced) if matches!(origin, Origin::Drained | Origin::Replayed) => {
                    apply_late(connection, rows, origin).await
                }
                done => done,
            };
            done.inspect(|()| statements::committed())
        }

        async fn apply_in_parts(
            connection: &mut $connection,
            rows: &[Row],
            origin: Origin,
        ) -> Tried<()> {
            begin(connection).await?;
            let mut done = Ok(());
            for rows in rows.chunks(ROWS_MAX) {
                done = upsert(connection, rows.len(), Upsert::guarded(rows, origin)).await;
                if done.is_err() {
                    break;
                }
            }
            end(connection, done).await
        }

        async fn upsert(
            connection: &mut $connection,
            rows: usize,
            upsert: Upsert<'_>,
        ) -> Tried<()> {
            statements::write(rows);
            let done = upsert.execute(connection).await;
            diagnosed(connection, done).await.map(drop)
        }

        async fn transact(
            connection: &mut $connection,
            proposals: &[Proposal],
            fence: Option<Epoch>,
        ) -> Tried<Vec<Verdict>> {
            begin(connection).await?;
            match judged(connection, proposals, fence).await {
                Ok(verdicts) => match commit(connection).await {
                    Ok(()) => {
                        if verdicts.iter().any(Verdict::is_written) {
                            statements::committed();
                        }
                        Ok(verdicts)
                    }
                    Err(Failed::Broken(reason)) => Err(Failed::Uncertain(reason)),
                    Err(failed) => Err(failed),
                },
                Err(failed) => roll_back(connection, failed).await,
            }
        }

        async fn judged(
            connection: &mut $connection,
            proposals: &[Proposal],
            fence: Option<Epoch>,
        ) -> Tried<Vec<Verdict>> {
            statements::read();
            // IMPORTANT: held until the end, so that nothing is purged meanwhile.
            let epoch = epoch(connection, Lock::Shared).await?;
            let floor = to_floor(epoch.purged_through).map_err(Failed::broken)?;
            let is_late =
                |proposal: &Proposal| proposal.version.is_some_and(|version| version <= floor);
            if fence.is_some_and(|fence| epoch.number() != fence) || proposals.iter().any(is_late) {
                return Err(Failed::Fenced);
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
            let rows = load_many(connection, &keys).await?;
            let rows: Vec<Record> = rows.iter().map(row::judged).collect();
            let made = rows.iter().filter(|row| row.version == Version::ZERO);
            let mut made: Vec<Key> = made
                .filter(|row| row.body.is_none())
                .map(|row| row.key.clone())
                .collect();
            let (verdicts, records) = judge(proposals, rows, now);
            let rows = records.iter().map(Row::from_record);
            let rows: Vec<Row> = rows
                .collect::<crate::error::Result<_>>()
                .map_err(|error| Failed::Refused(error.to_string()))?;
            for rows in rows.chunks(ROWS_MAX) {
                upsert(connection, rows.len(), Upsert::held(rows, Order::Judged)).await?;
            }
            let written: HashSet<&str> = rows.iter().map(|row| &*row.name).collect();
            made.retain(|key| !written.contains(key.as_str()));
            release(connection, &made).await?;
            Ok(verdicts)
        }
    };
}

pub(super) use transactions;
