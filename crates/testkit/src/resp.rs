//! As much of the Redis protocol as it takes to ask a server what it holds.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::proxy::authority;

/// How long one answer may take.
pub const ANSWER_SECONDS_MAX: u64 = 20;

/// What a command answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing, such as the value of a key that is not there.
    Nil,
    /// A status, or a number in decimal digits.
    Status(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Several answers.
    Many(Vec<Reply>),
}

impl Reply {
    /// The bytes, if it is some.
    pub fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Reply::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The answers that it consists of.
    pub fn many(self) -> Vec<Reply> {
        match self {
            Reply::Many(replies) => replies,
            other => vec![other],
        }
    }
}

/// A connection to a Redis server.
#[derive(Debug)]
pub struct RedisConnection {
    stream: BufReader<TcpStream>,
}

impl RedisConnection {
    /// Connects to `redis://user:password@host:port/database`.
    ///
    /// # Errors
    ///
    /// When the server is not there, or does not let this user in.
    pub fn open(url: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(authority(url))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(ANSWER_SECONDS_MAX)))?;
        let mut connection = RedisConnection {
            stream: BufReader::new(stream),
        };
        let (_, rest) = url.split_once("://").unwrap_or(("", url));
        let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
        if let Some((credentials, _)) = place.rsplit_once('@') {
            match credentials.split_once(':') {
                Some(("", password)) => connection.command(&["AUTH", password])?,
                Some((user, password)) => connection.command(&["AUTH", user, password])?,
                None => Reply::Nil,
            };
        }
        if !database.is_empty() {
            connection.command(&["SELECT", database])?;
        }
        Ok(connection)
    }

    /// Sends a command and reads its answer.
    ///
    /// # Errors
    ///
    /// When the server is gone, or answers with an error.
    pub fn command(&mut self, words: &[&str]) -> io::Result<Reply> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.reply()
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let line = line
            .strip_suffix("\r\n")
            .ok_or(ErrorKind::UnexpectedEof)?
            .to_owned();
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| unknown(&line))?;
        let length = || rest.parse::<i64>().map_err(|_| unknown(&line));
        match kind {
            "+" | ":" => Ok(Reply::Status(rest.to_owned())),
            "-" => Err(io::Error::other(rest.to_owned())),
            "$" | "*" if length()? < 0 => Ok(Reply::Nil),
            "$" => {
                let mut bytes = vec![0; length()? as usize + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Ok(Reply::Bytes(bytes))
            }
            "*" => (0..length()?)
                .map(|_| self.reply())
                .collect::<io::Result<_>>()
                .map(Reply::Many),
            _ => Err(unknown(&line)),
        }
    }
}

fn unknown(line: &str) -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        format!("no answer of Redis: {line:?}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::redis_url;

    #[test]
    #[ignore = "needs servers"]
    fn each_kind_of_answer_is_read() {
        let mut redis = RedisConnection::open(&redis_url()).unwrap();
        let mut ask = |script: &str| redis.command(&["EVAL", script, "0"]);
        assert_eq!(
            ask("return {ok = 'fine'}").unwrap(),
            Reply::Status("fine".into())
        );
        assert_eq!(ask("return 7").unwrap(), Reply::Status("7".into()));
        assert_eq!(ask("return false").unwrap(), Reply::Nil);
        let many = ask("return {'a\\r\\n', {}, false}").unwrap();
        let expected = [
            Reply::Bytes(b"a\r\n".into()),
            Reply::Many(vec![]),
            Reply::Nil,
        ];
        assert_eq!(many, Reply::Many(expected.into()));
        let error = ask("return {err = 'NO way'}").unwrap_err();
        assert!(error.to_string().starts_with("NO way"), "{error}");
        // The connection goes on after an error.
        assert_eq!(ask("return 'x'").unwrap().bytes(), Some(b"x".into()));
    }
}
