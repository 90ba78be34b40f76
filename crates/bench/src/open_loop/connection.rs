//! One connection, with one request at a time.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The most that an answer may have.
const ANSWER_BYTES_MAX: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    request: Vec<u8>,
    in_flight: Option<Duration>,
}

/// The answer to the request that was sent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// What was given with the request.
    pub(super) since: Duration,
    /// Whether it is one of 2xx.
    pub(super) is_success: bool,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Connection {
            stream,
            received: Vec::new(),
            request: Vec::new(),
            in_flight: None,
        })
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// What was given with the request that has no answer yet.
    pub(super) fn in_flight(&self) -> Option<Duration> {
        self.in_flight
    }

    /// Sends a POST. It always fits into the socket's buffer, which is empty.
    pub(super) fn send(&mut self, path: &str, body: &[u8], since: Duration) -> io::Result<()> {
        self.in_flight = Some(since);
        self.received.clear();
        self.request.clear();
        write!(
            self.request,
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )?;
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request)
    }

    /// Reads what has come; `None` while the answer is not complete.
    ///
    /// # Errors
    /// When the connection has ended, or what came is no answer to a request.
    pub(super) fn receive(&mut self) -> io::Result<Option<Answer>> {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => self
                .received
                .extend_from_slice(bytes.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        let Some(status) = status_of_whole(&self.received)? else {
            return Ok(None);
        };
        let since = self.in_flight.take().ok_or(ErrorKind::InvalidData)?;
        Ok(Some(Answer {
            since,
            is_success: (200..300).contains(&status),
        }))
    }
}

/// The status of an answer that is complete.
fn status_of_whole(received: &[u8]) -> io::Result<Option<u16>> {
    if received.len() > ANSWER_BYTES_MAX {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let Some((head, rest)) = end.and_then(|end| received.split_at_checked(end + 4)) else {
        return Ok(None);
    };
    let head = str::from_utf8(head).map_err(|_| ErrorKind::InvalidData)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.eq_ignore_ascii_case("content-length"))
            .then(|| value.trim().parse::<usize>().ok())
            .flatten()
    });
    match (status, length) {
        (Some(status), Some(length)) => Ok((rest.len() >= length).then_some(status)),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_with_its_last_byte() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\n12345";
        for length in 0..answer.len() {
            assert_eq!(
                status_of_whole(&answer[..length]).unwrap(),
                None,
                "{length}"
            );
        }
        assert_eq!(status_of_whole(answer).unwrap(), Some(503));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for text in ["hello\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
            status_of_whole(text.as_bytes()).unwrap_err();
        }
        status_of_whole(&vec![b'x'; ANSWER_BYTES_MAX + 1]).unwrap_err();
    }
}
