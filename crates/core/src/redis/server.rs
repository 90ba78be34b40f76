//! What the server says of itself.

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{RedisResult, cmd};

/// Digits of the server's run id that tell its runs apart.
const RUN_DIGITS: usize = 12;

/// A name for the time since the server was started.
pub(super) async fn run(connection: &mut MultiplexedConnection) -> RedisResult<String> {
    let answer: String = cmd("INFO").arg("server").query_async(connection).await?;
    // A server that does not say is taken to be always the same one.
    let run = info(&answer, "run_id").unwrap_or("0");
    Ok(run.get(..RUN_DIGITS).unwrap_or(run).to_owned())
}

/// A field of what INFO answers.
pub(crate) fn info<'a>(answer: &'a str, field: &str) -> Option<&'a str> {
    answer
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_finds_a_whole_field() {
        let answer = "# Persistence\r\naof_enabled:1\r\naof_enabled_x:0\r\n";
        assert_eq!(info(answer, "aof_enabled"), Some("1"));
        assert_eq!(info(answer, "aof"), None);
    }
}
