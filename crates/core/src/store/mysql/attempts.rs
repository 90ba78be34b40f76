//! A call on a connection of the pool, and when it is repeated.

use diesel_async::AsyncMysqlConnection;

use super::connector::Connector;
use super::pool::Pool;
use super::{Operation, unavailable};
use crate::error::{Error, Part, Result};
use crate::store::transaction::TransactionError;
use crate::timing;

/// How often an operation is done again at most that stood in the way of another
/// transaction, and how long it waits before that, at most each time.
const DEADLOCKS_MAX: u32 = 8;

/// How often an operation is repeated at most whose connection is lost, each time because
/// another one ended while it lay in the pool.
const LOST_MAX: u32 = 3;

/// Runs `operation`, and again where its connection had been used before and is lost: the
/// server may have closed what lay in the pool, as it does when it restarts. Once more, too,
/// where such a connection still answers.
pub(super) async fn attempts<T>(
    pool: &Pool<Connector>,
    operation: &impl for<'c> Fn(&'c mut AsyncMysqlConnection) -> Operation<'c, T>,
) -> Result<T> {
    let mut repeats = 0;
    let mut deadlocks = 0;
    loop {
        let mut lent = pool.lend().await?;
        match operation(lent.connection()?).await {
            Ok(answer) => {
                lent.give_back();
                return Ok(answer);
            }
            // The connection answered, so it is in step.
            //
            // IMPORTANT: all mean that nothing took place, which is so only of
            // this attempt.
            Err(TransactionError::Refused(reason)) if repeats == 0 => {
                lent.give_back();
                return Err(Error::refused(Part::Database, reason));
            }
            Err(TransactionError::Fenced) if repeats == 0 => {
                lent.give_back();
                return Err(Error::Fenced);
            }
            Err(TransactionError::Deadlocked) if deadlocks < DEADLOCKS_MAX => {
                lent.give_back();
                deadlocks += 1;
                tokio::time::sleep(timing::DEADLOCK_BACKOFF_MAX.mul_f64(fastrand::f64())).await;
            }
            Err(TransactionError::Locked | TransactionError::Deadlocked) if repeats == 0 => {
                lent.give_back();
                return Err(Error::Locked);
            }
            Err(TransactionError::Beyond(_)) => {
                lent.give_back();
                return Err(unavailable("the ceiling was lowered"));
            }
            Err(
                TransactionError::Refused(_)
                | TransactionError::Fenced
                | TransactionError::Locked
                | TransactionError::Deadlocked,
            ) => {
                lent.give_back();
                return Err(unavailable("the connection ended in the attempt before"));
            }
            Err(TransactionError::Broken(reason)) if lent.was_used() && repeats < LOST_MAX => {
                if !lent.answers().await {
                    // None of the others is better.
                    pool.discard_idle();
                } else if repeats > 0 {
                    return Err(unavailable(reason));
                }
                repeats += 1;
            }
            Err(TransactionError::Broken(reason) | TransactionError::Uncertain(reason)) => {
                return Err(unavailable(reason));
            }
        }
    }
}
