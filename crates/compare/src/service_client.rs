//! Asking a service something that is not part of the workload: its readiness, its figures,
//! a record in the end.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
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
    wait_timeout: Duration,
    sender: Option<SendRequest<Full<Bytes>>>,
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
    /// request may take `wait_timeout`, its whole answer included.
    pub fn new(address: SocketAddr, wait_timeout: Duration) -> ServiceClient {
        ServiceClient {
            address,
            wait_timeout,
            sender: None,
        }
    }

    /// `GET` of a path with its query.
    ///
    /// # Errors
    /// Why no whole answer came, in words.
    pub async fn get(&mut self, path: &str) -> Result<Reply, String> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// `POST` without a body.
    ///
    /// # Errors
    /// Why no whole answer came, in words.
    pub async fn post(&mut self, path: &str) -> Result<Reply, String> {
        self.send(Method::POST, path, Bytes::new()).await
    }

    /// `POST` of JSON.
    ///
    /// # Errors
    /// Why no whole answer came, in words.
    pub async fn post_json(&mut self, path: &str, body: Bytes) -> Result<Reply, String> {
        self.send(Method::POST, path, body).await
    }

    async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Result<Reply, String> {
        let sender = self.sender.take();
        let exchange = exchange(sender, self.address, method, path, body);
        let Ok(exchanged) = timeout(self.wait_timeout, exchange).await else {
            return Err(format!(
                "no answer in {} s",
                self.wait_timeout.as_secs_f64()
            ));
        };
        let (sender, reply) = exchanged?;
        self.sender = Some(sender);
        Ok(reply)
    }
}

async fn exchange(
    sender: Option<SendRequest<Full<Bytes>>>,
    address: SocketAddr,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(SendRequest<Full<Bytes>>, Reply), String> {
    let mut sender = match sender {
        Some(sender) if !sender.is_closed() => sender,
        _ => connect(address).await?,
    };
    sender.ready().await.map_err(in_words)?;
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, address.to_string());
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let request = request.body(Full::new(body)).map_err(in_words)?;
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

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, String> {
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
