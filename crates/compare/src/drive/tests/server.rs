//! A server that answers as a test wants.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    /// `GET /users/cmp-1`.
    pub(super) line: String,
    pub(super) body: String,
}

/// What a server makes of a request.
#[derive(Clone, Debug)]
pub(super) enum Reaction {
    /// Sends this after so long.
    Answer(String, Duration),
    /// Closes the connection without a word.
    Close,
    /// Keeps it, and says nothing.
    Silence,
}

/// A server that runs until it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    tasks: JoinSet<()>,
}

impl Server {
    /// `react` is given the time since the first request, too.
    pub(super) async fn start(
        react: impl Fn(&Asked, Duration) -> Reaction + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let react = Arc::new(react);
        let first = Arc::new(std::sync::OnceLock::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (react, log, first) = (react.clone(), log.clone(), first.clone());
                connections.spawn(async move {
                    let react = |asked: &Asked| {
                        log.lock().unwrap().push(asked.clone());
                        react(asked, first.get_or_init(Instant::now).elapsed())
                    };
                    serve(stream, react).await;
                });
            }
        });
        Server {
            address,
            asked,
            tasks,
        }
    }

    /// Stops the server. Returns when its port is closed.
    pub(super) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    /// Everything that was asked, sorted.
    pub(super) fn asked(&self) -> Vec<Asked> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked
    }
}

/// Until the client closes, or the connection is of no more use.
async fn serve(mut stream: TcpStream, react: impl Fn(&Asked) -> Reaction) {
    let mut bytes = Vec::new();
    loop {
        let asked = loop {
            if let Some((asked, length)) = parse(&bytes) {
                bytes.drain(..length);
                break asked;
            }
            match stream.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        match react(&asked) {
            Reaction::Answer(text, after) => {
                if !after.is_zero() {
                    tokio::time::sleep(after).await;
                }
                if stream.write_all(text.as_bytes()).await.is_err() || text.contains("close") {
                    return;
                }
            }
            Reaction::Close => return,
            Reaction::Silence => std::future::pending().await,
        }
    }
}

/// The request at the beginning of the bytes, and its length, when it is there as a whole.
fn parse(bytes: &[u8]) -> Option<(Asked, usize)> {
    let text = str::from_utf8(bytes).unwrap();
    let (head, _) = text.split_once("\r\n\r\n")?;
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let begin = head.len() + 4;
    let body = text.get(begin..begin + length)?;
    let line = head.lines().next().unwrap();
    let asked = Asked {
        line: line.strip_suffix(" HTTP/1.1").unwrap().to_owned(),
        body: body.to_owned(),
    };
    Some((asked, begin + length))
}

/// What a service answers at once, with these further header lines.
pub(super) fn success(asked: &Asked, headers: &str) -> Reaction {
    let text = if asked.line.starts_with("DELETE") {
        format!("HTTP/1.1 204 No Content\r\nETag: \"1\"\r\n{headers}\r\n")
    } else {
        format!("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 2\r\n{headers}\r\n{{}}")
    };
    Reaction::Answer(text, Duration::ZERO)
}
