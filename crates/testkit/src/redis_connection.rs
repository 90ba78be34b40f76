//! Asking a Redis server what it holds, and changing it, past the services.

use std::time::Duration;

use redis::{
    Client, Connection, FromRedisValue, InfoDict, IntoConnectionInfo as _, RedisResult, cmd,
};

/// How long one answer may take.
pub const ANSWER_SECONDS_MAX: u64 = 20;

/// A connection to a Redis server.
pub struct RedisConnection(Connection);

impl RedisConnection {
    /// Connects to `redis://user:password@host:port/database`.
    ///
    /// # Errors
    ///
    /// When the server is not there, or does not let this user in.
    pub fn open(url: &str) -> RedisResult<Self> {
        let server = url.into_connection_info()?;
        // Tests read the server's statistics, in which a connection counts no command of its own.
        let settings = server.redis_settings().clone().set_skip_set_lib_name();
        let connection = Client::open(server.set_redis_settings(settings))?.get_connection()?;
        connection.set_read_timeout(Some(Duration::from_secs(ANSWER_SECONDS_MAX)))?;
        Ok(RedisConnection(connection))
    }

    /// Sends a command and returns its answer.
    ///
    /// # Errors
    ///
    /// When the server is gone, answers with an error, or with something of another type.
    pub fn ask<T: FromRedisValue>(&mut self, words: &[&str]) -> RedisResult<T> {
        let (command, arguments) = words.split_first().expect("a command");
        cmd(command).arg(arguments).query(&mut self.0)
    }

    /// The same, where the answer says no more than that it is done.
    ///
    /// # Errors
    ///
    /// When the server is gone, or answers with an error.
    pub fn command(&mut self, words: &[&str]) -> RedisResult<()> {
        self.ask(words)
    }

    /// What the server says of itself: a field of a section of `INFO`, if it has that.
    ///
    /// # Errors
    ///
    /// When the server is gone.
    pub fn info<T: FromRedisValue>(
        &mut self,
        section: &str,
        field: &str,
    ) -> RedisResult<Option<T>> {
        Ok(self.ask::<InfoDict>(&["INFO", section])?.get(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::redis_url;

    #[test]
    #[ignore = "needs servers"]
    fn a_connection_goes_on_after_an_error() {
        let mut redis = RedisConnection::open(&redis_url()).unwrap();
        let error = redis.command(&["EVAL", "return {err = 'NO way'}", "0"]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("NO") && error.contains("way"), "{error}");
        let bytes: Vec<u8> = redis.ask(&["EVAL", "return 'a\\r\\n'", "0"]).unwrap();
        assert_eq!(bytes, b"a\r\n");
    }
}
