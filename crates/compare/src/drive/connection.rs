//! One connection, with one request at a time.

use std::future::{Future as _, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::HeaderMap;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::failure::Failure;
use super::message::Message;

/// The most that an answer may have. Records and problems are far smaller.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// How often the request and the connection take turns before the system is asked for more:
/// handing over the request, and its answer's head and body, takes one turn each. One too many
/// costs little, one too few a detour through the scheduler.
const TURNS: usize = 3;

/// A connection to a service. The task that waits for an answer drives it, so no other task
/// has to wake for a request.
#[derive(Debug)]
pub(super) struct Connection {
    requests: http1::SendRequest<Full<Bytes>>,
    connection: http1::Connection<TokioIo<TcpStream>, Full<Bytes>>,
    is_over: bool,
    /// When it was opened or last answered.
    pub(super) idle_since: Instant,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoReply {
    /// Nothing of the request was sent, since the connection had been closed before.
    NotSent,
    /// What was sent may have arrived.
    Broken(Failure),
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        Ok(Connection {
            requests,
            connection,
            is_over: false,
            idle_since: Instant::now(),
        })
    }

    /// Whether another request may be sent.
    pub(super) fn is_open(&self) -> bool {
        !self.is_over && !self.requests.is_closed()
    }

    /// Waits until the service closes it.
    pub(super) async fn closed(&mut self) {
        poll_fn(|context| self.poll_connection(context)).await;
    }

    /// Sends a request and waits for the whole answer. Where this is cut off, the connection
    /// is of no use any more.
    pub(super) async fn send(&mut self, message: Message) -> Result<Reply, NoReply> {
        let Connection {
            requests,
            connection,
            is_over,
            idle_since,
        } = self;
        let mut exchange = pin!(exchange(requests, message));
        let reply = poll_fn(|context| {
            for _ in 0..TURNS {
                if let Poll::Ready(reply) = exchange.as_mut().poll(context) {
                    return Poll::Ready(reply);
                }
                if !*is_over {
                    *is_over = Pin::new(&mut *connection).poll(context).is_ready();
                }
            }
            Poll::Pending
        })
        .await;
        *idle_since = Instant::now();
        reply
    }

    fn poll_connection(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_over {
            self.is_over = Pin::new(&mut self.connection).poll(context).is_ready();
        }
        if self.is_over {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

async fn exchange(
    requests: &mut http1::SendRequest<Full<Bytes>>,
    message: Message,
) -> Result<Reply, NoReply> {
    requests.ready().await.map_err(|_| NoReply::NotSent)?;
    let response = requests
        .try_send_request(message)
        .await
        .map_err(|mut error| match error.take_message() {
            Some(_) => NoReply::NotSent,
            None => NoReply::Broken(Failure::of_broken(error.error())),
        })?;
    read(response).await.map_err(NoReply::Broken)
}

async fn read(response: Response<Incoming>) -> Result<Reply, Failure> {
    let (head, mut body) = response.into_parts();
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::of_broken(&error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len() + rest.len() + data.len() > BODY_BYTES_MAX {
            return Err(Failure::TooLong);
        }
        // Almost always there is only one.
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    let body = if rest.is_empty() {
        first
    } else {
        [first, rest.freeze()].concat().into()
    };
    Ok(Reply {
        status: head.status,
        headers: head.headers,
        body,
    })
}
