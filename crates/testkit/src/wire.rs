//! HTTP/1.1 byte by byte, for requests that no client would send and for answers that come before the
//! request has been read.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use crate::http::Response;

/// How long one read waits for the server to send something.
pub const READ_SECONDS_MAX: u64 = 20;

/// A request with the header fields given, after `Host` and, unless they have `Transfer-Encoding`, the
/// `Content-Length` of a body. Nothing is checked or escaped.
pub fn request(
    method: &str,
    target: &[u8],
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(method.as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(target);
    bytes.extend_from_slice(b" HTTP/1.1\r\nHost: localhost\r\n");
    let is_chunked = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("Transfer-Encoding"));
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    if let Some(body) = body
        && !is_chunked
    {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body.unwrap_or_default());
    bytes
}

/// The body in chunks of at most `chunk_bytes`, for a request with `Transfer-Encoding: chunked`.
pub fn chunked(body: &[u8], chunk_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(chunk_bytes) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// A connection of its own.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects to the server at `http://host:port`.
    pub fn open(base_url: &str) -> Self {
        let address = base_url.trim_start_matches("http://").trim_end_matches('/');
        let stream = TcpStream::connect(address).expect("a connection");
        let wait_timeout = Some(Duration::from_secs(READ_SECONDS_MAX));
        stream
            .set_read_timeout(wait_timeout)
            .expect("a read timeout");
        stream
            .set_write_timeout(wait_timeout)
            .expect("a write timeout");
        Connection {
            stream: BufReader::new(stream),
        }
    }

    /// Writes all of the bytes.
    ///
    /// # Errors
    ///
    /// When the server has closed the connection, or takes nothing more.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Writes all of the bytes while it waits for the answer to them, so that neither side can block
    /// the other.
    ///
    /// # Errors
    ///
    /// As [`Self::read_answer`]; a server that does not take the rest of a request is none.
    pub fn exchange(&mut self, bytes: &[u8]) -> io::Result<Response> {
        let mut writer = self.stream.get_ref().try_clone()?;
        thread::scope(|scope| {
            scope.spawn(move || writer.write_all(bytes));
            self.read_answer(bytes.starts_with(b"HEAD "))
        })
    }

    /// Closes the direction towards the server.
    pub fn finish_writing(&mut self) {
        // It may have closed both already.
        let _ = self.stream.get_ref().shutdown(Shutdown::Write);
    }

    /// Reads one whole answer, and nothing behind it.
    ///
    /// # Errors
    ///
    /// When the connection ends before the answer does, or what comes is no answer.
    pub fn read_answer(&mut self, to_head_request: bool) -> io::Result<Response> {
        loop {
            let (status, headers) = self.read_head()?;
            if (100..200).contains(&status) {
                continue;
            }
            let body = if to_head_request || matches!(status, 204 | 304) {
                Vec::new()
            } else {
                self.read_body(&headers)?
            };
            return Ok(Response {
                status,
                headers,
                body,
            });
        }
    }

    /// Reads the head of an answer, an interim one too: its status and its header fields.
    ///
    /// # Errors
    ///
    /// As [`Self::read_answer`].
    pub fn read_head(&mut self) -> io::Result<(u16, HeaderMap)> {
        let status_line = self.read_line()?;
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .or_else(|| status_line.strip_prefix("HTTP/1.0 "))
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .ok_or_else(|| no_answer(&status_line))?;
        let mut headers = HeaderMap::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| no_answer(&line))?;
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| no_answer(&line))?;
            let value = HeaderValue::from_str(value.trim()).map_err(|_| no_answer(&line))?;
            headers.append(name, value);
        }
    }

    fn read_body(&mut self, headers: &HeaderMap) -> io::Result<Vec<u8>> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let mut body = Vec::new();
        if text("transfer-encoding") == Some("chunked") {
            loop {
                let line = self.read_line()?;
                let length = usize::from_str_radix(&line, 16).map_err(|_| no_answer(&line))?;
                let start = body.len();
                body.resize(start + length, 0);
                self.stream.read_exact(&mut body[start..])?;
                self.read_line()?;
                if length == 0 {
                    return Ok(body);
                }
            }
        }
        match text("content-length") {
            Some(length) => {
                let length: usize = length.parse().map_err(|_| no_answer(length))?;
                body.resize(length, 0);
                self.stream.read_exact(&mut body)?;
            }
            None => {
                self.stream.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        let Some(line) = line.strip_suffix(b"\n") else {
            return Err(ErrorKind::UnexpectedEof.into());
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        String::from_utf8(line.to_vec()).map_err(|_| no_answer("bytes that are not UTF-8"))
    }
}

fn no_answer(found: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("not HTTP: {found:?}"))
}

/// Sends one request, made by [`request`], on a connection of its own.
///
/// # Panics
///
/// When no whole answer comes.
pub fn send(base_url: &str, request: &[u8]) -> Response {
    Connection::open(base_url)
        .exchange(request)
        .unwrap_or_else(|error| {
            let start = &request[..request.len().min(200)];
            panic!("{}: {error}", String::from_utf8_lossy(start))
        })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that sends `answer` without reading anything, and closes.
    fn server_that_sends(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(answer).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            // Until the client has closed, so that nothing is reset.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        base_url
    }

    fn answer_to(request: &[u8], answer: &'static [u8]) -> io::Result<Response> {
        Connection::open(&server_that_sends(answer)).exchange(request)
    }

    #[test]
    fn a_body_ends_where_its_length_its_last_chunk_or_the_connection_ends() {
        for answer in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 500 next"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nabc",
        ] {
            let response = answer_to(b"GET / HTTP/1.1\r\n\r\n", answer).unwrap();
            assert_eq!((response.status, response.text()), (200, "abc"));
        }
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
        let response = answer_to(b"HEAD / HTTP/1.1\r\n\r\n", head).unwrap();
        assert_eq!(response.header("content-length"), Some("3"));
        assert_eq!(response.body, b"");
    }

    #[test]
    fn half_an_answer_is_none() {
        for answer in [
            &b""[..],
            b"HTTP/1.1 200",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            b"SSH-2.0-OpenSSH_9.9\r\n",
        ] {
            let outcome = answer_to(b"GET / HTTP/1.1\r\n\r\n", answer);
            assert!(outcome.is_err(), "{}", String::from_utf8_lossy(answer));
        }
    }

    #[test]
    fn a_request_is_written_as_it_is_given() {
        assert_eq!(
            request("PUT", b"/\xff", &[("A", "b")], Some(b"xy")),
            b"PUT /\xff HTTP/1.1\r\nHost: localhost\r\nA: b\r\nContent-Length: 2\r\n\r\nxy"
        );
        let body = chunked(b"abcde", 4);
        assert_eq!(body, b"4\r\nabcd\r\n1\r\ne\r\n0\r\n\r\n");
        let headers = [("Transfer-Encoding", "chunked")];
        let request = request("POST", b"/", &headers, Some(&body));
        assert!(request.ends_with(&[b"chunked\r\n\r\n".as_slice(), &body].concat()));
    }
}
