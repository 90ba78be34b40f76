//! Commands and scripts on the shared connection.

use std::fmt::Debug;
use std::sync::Arc;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{
    self, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisResult, Script, ServerErrorKind, Value,
    from_redis_value,
};

use crate::error::{Error, Part, Result};
use crate::redis::{Redis, RunKeys};

/// The connection as one part uses it for one operation. What is named by
/// `keys` is in the run of the server that the connection goes to.
pub(crate) struct Link<'a> {
    pub(super) redis: &'a Redis,
    pub(super) part: Part,
    pub(super) connection: MultiplexedConnection,
    pub(crate) keys: Arc<RunKeys>,
}

impl Link<'_> {
    /// Runs one command.
    pub(crate) async fn command<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T> {
        command
            .query_async(&mut self.connection)
            .await
            .map_err(|error| self.redis.failed(self.part, &error))
    }

    /// Runs scripts in one round trip. Each runs whole, but another client's
    /// commands may come between two of them.
    ///
    /// # Errors
    /// [`Error::Unseeded`] if any script says so, else the first error.
    pub(crate) async fn scripts<T: FromRedisValue>(
        &mut self,
        calls: &[Call<'_>],
    ) -> Result<Vec<T>> {
        let (answers, _) = self.each_script(calls, None).await;
        match answers
            .iter()
            .position(|answer| matches!(answer, Err(Error::Unseeded(_))))
        {
            Some(_) => Err(Error::Unseeded(self.part)),
            None => answers.into_iter().collect(),
        }
    }

    /// As [`Link::scripts`], with what became of each one by itself, and then
    /// one command more in the same round trip.
    pub(crate) async fn each_script<T: FromRedisValue>(
        &mut self,
        calls: &[Call<'_>],
        last: Option<&Cmd>,
    ) -> (Vec<Result<T>>, Option<Result<Value>>) {
        if calls.is_empty() {
            // The driver refuses a pipeline that holds nothing.
            return (Vec::new(), None);
        }
        let mut pipeline = Pipeline::with_capacity(calls.len() + 1);
        for call in calls {
            pipeline.add_command(call.command());
        }
        if let Some(last) = last {
            pipeline.add_command(last.clone());
        }
        pipeline.ignore_errors();
        let results: RedisResult<Vec<RedisResult<Value>>> =
            pipeline.query_async(&mut self.connection).await;
        let mut results = match results {
            Ok(results) => results.into_iter(),
            Err(error) => {
                let error = self.redis.failed(self.part, &error);
                let answers = calls.iter().map(|_| Err(error.clone())).collect();
                return (answers, last.map(|_| Err(error)));
            }
        };
        let mut loaded = false;
        let mut answers = Vec::with_capacity(calls.len());
        for (call, result) in calls.iter().zip(results.by_ref()) {
            let result = match result {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    // It did not run, so it may run now.
                    loaded = true;
                    self.load_and_run(call).await
                }
                other => other,
            };
            let answer = result.and_then(|value| Ok(from_redis_value(value)?));
            answers.push(answer.map_err(|error| self.redis.failed(self.part, &error)));
        }
        let Some(last) = last else {
            return (answers, None);
        };
        let last = if loaded {
            // What it was to come after has only run now.
            self.command(last).await
        } else {
            results
                .next()
                .unwrap_or(Ok(Value::Nil))
                .map_err(|error| self.redis.failed(self.part, &error))
        };
        (answers, Some(last))
    }

    async fn load_and_run(&mut self, call: &Call<'_>) -> RedisResult<Value> {
        let invocation = call.script.prepare_invoke();
        invocation.load_async(&mut self.connection).await?;
        call.command().query_async(&mut self.connection).await
    }

    /// Runs one script.
    pub(crate) async fn script<T: FromRedisValue>(&mut self, call: Call<'_>) -> Result<T> {
        let mut answers = self.scripts(&[call]).await?;
        answers
            .pop()
            .ok_or_else(|| Error::unavailable(self.part, "the server answered nothing"))
    }
}

/// One call of a script.
pub(crate) struct Call<'a> {
    script: &'a Script,
    keys: usize,
    arguments: Cmd,
}

impl<'a> Call<'a> {
    /// `script` with `keys`, all of one shard.
    pub(crate) fn new(script: &'a Script, keys: Vec<String>) -> Call<'a> {
        let mut arguments = redis::cmd("EVALSHA");
        arguments.arg(script.get_hash()).arg(keys.len());
        for key in &keys {
            arguments.arg(key);
        }
        Call {
            script,
            keys: keys.len(),
            arguments,
        }
    }

    /// Adds an argument.
    pub(crate) fn arg(&mut self, argument: impl redis::ToRedisArgs) -> &mut Self {
        self.arguments.arg(argument);
        self
    }

    fn command(&self) -> Cmd {
        self.arguments.clone()
    }
}

impl Debug for Call<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Call({} keys)", self.keys)
    }
}
