//! Commands and scripts on the shared connection.

use std::fmt::Debug;
use std::sync::Arc;

use deadpool_redis::redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisResult, Script, ServerErrorKind, ToRedisArgs,
    Value, from_redis_value,
};

use crate::error::{Error, Part, Result};
use crate::redis::RunKeys;
use crate::redis::connection::{Shared, State};

/// The connection as one part uses it for one operation. What is named by
/// `keys` is in the run of the server that the connection goes to.
pub(crate) struct Link {
    part: Part,
    shared: Shared,
    pub(crate) keys: Arc<RunKeys>,
}

impl Link {
    pub(super) fn new(part: Part, shared: Shared) -> Link {
        Link {
            part,
            keys: shared.keys.clone(),
            shared,
        }
    }

    /// The run of the server that the connection goes to.
    pub(crate) fn server_run(&self) -> &str {
        &self.shared.server_run
    }

    /// Whether the connection ended, or another server is to be used since it was opened.
    pub(super) fn is_broken(&self) -> bool {
        self.shared.is_broken()
    }

    /// What becomes of the connection meanwhile.
    pub(super) fn connection_state(&self) -> Arc<State> {
        self.shared.state()
    }

    /// Runs one command.
    pub(crate) async fn command<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T> {
        command
            .query_async(&mut self.shared.connection)
            .await
            .map_err(|error| self.shared.failed(self.part, &error))
    }

    /// Runs scripts in one round trip. Each runs whole, but another client's
    /// commands may come between two of them.
    ///
    /// # Errors
    /// [`Error::Unseeded`] if any script says so, else the first error.
    pub(crate) async fn scripts<T: FromRedisValue>(
        &mut self,
        calls: Vec<Call<'_>>,
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
        calls: Vec<Call<'_>>,
        last: Option<Cmd>,
    ) -> (Vec<Result<T>>, Option<Result<Value>>) {
        if calls.is_empty() {
            // The driver refuses a pipeline that holds nothing.
            return (Vec::new(), None);
        }
        let mut scripts = Vec::with_capacity(calls.len());
        let mut pipeline = Pipeline::with_capacity(calls.len() + 1);
        for call in calls {
            scripts.push(call.script);
            pipeline.add_command(call.command);
        }
        let has_last = last.is_some();
        if let Some(last) = last {
            pipeline.add_command(last);
        }
        pipeline.ignore_errors();
        let results: RedisResult<Vec<RedisResult<Value>>> =
            pipeline.query_async(&mut self.shared.connection).await;
        let mut results = match results {
            Ok(results) => results.into_iter(),
            Err(error) => {
                let error = self.shared.failed(self.part, &error);
                let answers = scripts.iter().map(|_| Err(error.clone())).collect();
                return (answers, has_last.then_some(Err(error)));
            }
        };
        let mut loaded = false;
        let mut answers = Vec::with_capacity(scripts.len());
        let mut commands = pipeline.cmd_iter();
        for ((script, command), result) in
            scripts.iter().zip(commands.by_ref()).zip(results.by_ref())
        {
            let result = match result {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    // It did not run, so it may run now.
                    loaded = true;
                    Box::pin(self.load_and_run(script, command)).await
                }
                other => other,
            };
            let answer = result.and_then(|value| Ok(from_redis_value(value)?));
            answers.push(answer.map_err(|error| self.shared.failed(self.part, &error)));
        }
        let last = match commands.next() {
            None => None,
            // What it was to come after has only run now.
            Some(last) if loaded => Some(self.command(last).await),
            Some(_) => {
                let result = results.next().unwrap_or(Ok(Value::Nil));
                Some(result.map_err(|error| self.shared.failed(self.part, &error)))
            }
        };
        (answers, last)
    }

    async fn load_and_run(&mut self, script: &Script, command: &Cmd) -> RedisResult<Value> {
        let invocation = script.prepare_invoke();
        invocation.load_async(&mut self.shared.connection).await?;
        command.query_async(&mut self.shared.connection).await
    }

    /// Runs one script.
    pub(crate) async fn script<T: FromRedisValue>(&mut self, call: Call<'_>) -> Result<T> {
        let mut answers = self.scripts(vec![call]).await?;
        answers
            .pop()
            .ok_or_else(|| Error::unavailable(self.part, "the server answered nothing"))
    }
}

/// One call of a script.
pub(crate) struct Call<'a> {
    script: &'a Script,
    command: Cmd,
}

impl<'a> Call<'a> {
    /// `script` with so many keys, all of one shard, which are its first
    /// arguments.
    pub(crate) fn begin(script: &'a Script, keys: usize) -> Call<'a> {
        Call::with_room(script, keys, 0, 0)
    }

    /// As [`Call::begin`], with room for so many arguments, keys included, of so many bytes in all.
    pub(crate) fn with_room(
        script: &'a Script,
        keys: usize,
        arguments: usize,
        bytes: usize,
    ) -> Call<'a> {
        const HEAD_ARGUMENTS: usize = 3;
        const HEAD_BYTES: usize = 64;
        let mut command = Cmd::with_capacity(HEAD_ARGUMENTS + arguments, HEAD_BYTES + bytes);
        command.arg("EVALSHA").arg(script.get_hash()).arg(keys);
        Call { script, command }
    }

    /// `script` with `keys`, all of one shard.
    pub(crate) fn new(script: &'a Script, keys: Vec<String>) -> Call<'a> {
        let mut call = Call::begin(script, keys.len());
        for key in &keys {
            call.arg(key);
        }
        call
    }

    /// Adds an argument.
    pub(crate) fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        self.command.arg(argument);
        self
    }
}

impl Debug for Call<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Call({})", self.script.get_hash())
    }
}
