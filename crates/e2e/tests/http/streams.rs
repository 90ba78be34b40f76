//! `POST /users/batch` as clients use it: a whole body at once, or line by line.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use serde_json::{Value, json};
use testkit::http::Response;
use testkit::wait::WAIT_TIMEOUT;
use testkit::wire;

use crate::api::{Api, shown};

pub(crate) const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");
pub(crate) const CHUNKED: (&str, &str) = ("Transfer-Encoding", "chunked");

/// A line that writes a user.
pub(crate) fn put(name: &str, age: u64) -> String {
    let user = json!({ "name": name, "age": age, "occupation": "Engineer" });
    format!("{user}\n")
}

/// A line that deletes one.
pub(crate) fn delete(name: &str) -> String {
    format!("{}\n", json!({ "delete": name }))
}

/// Sends a body, reading the answers meanwhile.
pub(crate) fn post(api: &Api, query: &str, body: &[u8]) -> Response {
    let path = format!("/users/batch{query}");
    let request = wire::request("POST", path.as_bytes(), &[NDJSON], Some(body));
    wire::send(&api.base_url, &request)
}

/// The same, and the lines that are answered.
#[track_caller]
pub(crate) fn batch(api: &Api, query: &str, body: impl AsRef<[u8]>) -> Vec<Value> {
    lines(&post(api, query, body.as_ref()))
}

#[track_caller]
pub(crate) fn lines(answer: &Response) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", shown(answer));
    let content_type = answer.header("Content-Type");
    assert_eq!(content_type, Some("application/x-ndjson"));
    let text = answer.text();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let parsed = text.lines().map(|line| serde_json::from_str(line).unwrap());
    parsed.collect()
}

/// The statuses of lines that are numbered from 1.
#[track_caller]
pub(crate) fn statuses(lines: &[Value]) -> Vec<u64> {
    for (number, line) in (1u64..).zip(lines) {
        assert_eq!(line["line"], number, "{line}");
    }
    let statuses = lines.iter().map(|line| line["status"].as_u64().unwrap());
    statuses.collect()
}

/// A batch whose lines are sent and whose answers are read one by one.
pub(crate) struct Batch {
    socket: BufReader<TcpStream>,
    is_answered: bool,
    /// Bytes of the answer's chunks that were not looked at.
    rest: Vec<u8>,
}

impl Batch {
    pub(crate) fn open(api: &Api, query: &str) -> Batch {
        let address = api.base_url.trim_start_matches("http://");
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(WAIT_TIMEOUT)).unwrap();
        socket.set_write_timeout(Some(WAIT_TIMEOUT)).unwrap();
        let mut batch = Batch {
            socket: BufReader::new(socket),
            is_answered: false,
            rest: Vec::new(),
        };
        let path = format!("/users/batch{query}");
        let head = wire::request("POST", path.as_bytes(), &[NDJSON, CHUNKED], None);
        batch.write(&head);
        batch
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        self.socket.get_ref()
    }

    /// The same batch, for a thread that sends.
    pub(crate) fn writer(&self) -> Batch {
        Batch {
            socket: BufReader::new(self.socket().try_clone().unwrap()),
            is_answered: false,
            rest: Vec::new(),
        }
    }

    /// Closes the connection, in both directions.
    pub(crate) fn close(&self) {
        let _ = self.socket().shutdown(Shutdown::Both);
    }

    /// Sends a piece of the body. Returns whether the server took it.
    pub(crate) fn try_send(&mut self, text: &str) -> bool {
        let chunk = format!("{:x}\r\n{text}\r\n", text.len());
        self.socket.get_mut().write_all(chunk.as_bytes()).is_ok()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).unwrap();
    }

    /// Sends a piece of the body.
    pub(crate) fn send(&mut self, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        let chunk = [format!("{:x}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat();
        self.write(&chunk);
    }

    /// Ends the body.
    pub(crate) fn finish(&mut self) {
        self.write(b"0\r\n\r\n");
    }

    fn read_line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.socket.read_line(&mut line) {
            Ok(1..) => Some(line.trim_end().to_owned()),
            _ => None,
        }
    }

    fn read_head(&mut self) -> Option<()> {
        self.is_answered = true;
        let status = self.read_line()?;
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
        while !self.read_line()?.is_empty() {}
        Some(())
    }

    /// The next answer; `None` at the end of all, `Err` where the connection ends before that.
    pub(crate) fn answer(&mut self) -> Result<Option<Value>, ()> {
        if !self.is_answered {
            self.read_head().ok_or(())?;
        }
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line).unwrap()));
            }
            let length = self.read_line().ok_or(())?;
            let length = usize::from_str_radix(&length, 16).unwrap();
            let start = self.rest.len();
            self.rest.resize(start + length, 0);
            let read = self.socket.read_exact(&mut self.rest[start..]);
            read.map_err(drop)?;
            self.read_line().ok_or(())?;
            if length == 0 {
                assert!(self.rest.is_empty(), "{:?}", self.rest);
                return Ok(None);
            }
        }
    }

    /// The next answer, which there is.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Value {
        self.answer().expect("an answer").expect("one more line")
    }

    /// All answers to the end.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        let mut rest = Vec::new();
        while let Some(line) = self.answer().expect("an end") {
            rest.push(line);
        }
        rest
    }
}
