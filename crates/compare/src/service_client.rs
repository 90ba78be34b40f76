//! Asking a service something that is not part of the workload: its readiness, its figures,
//! a record in the end.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HOST;
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Most bytes of an answer that are read: figures and pages of records are far smaller.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A connection to a service, for one request at a time.
#[derive(Debug)]
pub struct ServiceClient {
    address: SocketAddr,
    patience: Duration,
    sender: Option<SendRequest<Empty<Bytes>>>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body, whole.
    pub body: Bytes,
}

impl ServiceClient {
    /// A client that connects when it is first used, and again where the connection ended. Each
    /// request may take `patience`, its whole answer included.
    pub fn new(address: SocketAddr, patience: Duration) -> ServiceClient {
        ServiceClient {
            address,
            patience,
            sender: None,
        }
    }

    /// `GET` of a path with its query.
    ///
    /// # Errors
    /// Why no whole answer came, in words.
    pub async fn get(&mut self, path: &str) -> Result<Reply, String> {
        self.send(Method::GET, path).await
    }

    /// `POST` without a body.
    ///
    /// # Errors
    /// Why no whole answer came, in words.
    pub async fn post(&mut self, path: &str) -> Result<Reply, String> {
        self.send(Method::POST, path).await
    }

    async fn send(&mut self, method: Method, path: &str) -> Result<Reply, String> {
        let sender = self.sender.take();
        let exchange = exchange(sender, self.address, method, path);
        let Ok(exchanged) = timeout(self.patience, exchange).await else {
            return Err(format!("no answer in {} s", self.patience.as_secs_f64()));
        };
        let (sender, reply) = exchanged?;
        self.sender = Some(sender);
        Ok(reply)
    }
}

async fn exchange(
    sender: Option<SendRequest<Empty<Bytes>>>,
    address: SocketAddr,
    method: Method,
    path: &str,
) -> Result<(SendRequest<Empty<Bytes>>, Reply), String> {
    let mut sender = match sender {
        Some(sender) if !sender.is_closed() => sender,
        _ => connect(address).await?,
    };
    sender.ready().await.map_err(in_words)?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, address.to_string())
        .body(Empty::new())
        .map_err(in_words)?;
    let (head, body) = sender
        .send_request(request)
        .await
        .map_err(in_words)?
        .into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let reply = Reply {
        status: head.status,
        headers: head.headers,
        body: body.map_err(in_words)?.to_bytes(),
    };
    Ok((sender, reply))
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Empty<Bytes>>, String> {
    let stream = TcpStream::connect(address).await.map_err(in_words)?;
    stream.set_nodelay(true).map_err(in_words)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(in_words)?;
    // It ends with the sender; what ends it otherwise, the next request is told.
    tokio::spawn(connection);
    Ok(sender)
}

fn in_words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
