//! Beginning and ending a transaction.

use diesel_async::SimpleAsyncConnection;

use super::{BEGIN, Connection, diagnosed};
use crate::store::transaction::{TransactionError, Tried};

pub(in crate::store) async fn begin(connection: &mut Connection) -> Tried<()> {
    Ok(connection.batch_execute(BEGIN).await?)
}

/// Ends the transaction as `done` says. What fails here may have been
/// committed.
pub(in crate::store) async fn end<T>(connection: &mut Connection, done: Tried<T>) -> Tried<T> {
    match done {
        Ok(answer) => commit(connection).await.map(|()| answer),
        Err(failed) => roll_back(connection, failed).await,
    }
}

/// Ends the transaction, since an open one would be in the way of the connection's next user.
pub(super) async fn roll_back<T>(
    connection: &mut Connection,
    failed: TransactionError,
) -> Tried<T> {
    connection.batch_execute("ROLLBACK").await?;
    Err(failed)
}

pub(super) async fn commit(connection: &mut Connection) -> Tried<()> {
    let done = connection.batch_execute("COMMIT").await;
    match diagnosed(connection, done).await {
        Err(TransactionError::Broken(reason)) => Err(TransactionError::Broken(reason)),
        // IMPORTANT: nothing took place, and some of these errors leave the transaction open.
        Err(failed) => roll_back(connection, failed).await,
        Ok(()) => Ok(()),
    }
}
