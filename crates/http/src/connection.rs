//! A client's connection, with the bounds in time that actix does not have.
//!
//! actix bounds only the first head on a connection, and answers `408` on one that has asked nothing. Later
//! heads may trickle in for ever, and a client may take its answers as slowly as it likes. Here the time is
//! bounded for a connection without a request, for a whole request from its first byte, for a client that
//! takes nothing, and for a large answer as a whole. While the client takes nothing, nothing more is read
//! from it, so the answers to pipelined requests do not pile up. A stream bounds what it reads itself: its
//! client is only ended when it neither sends nor takes anything.

use std::cell::Cell;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::{HttpMessage as _, HttpRequest};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::tls::Stream;

/// How long a client may take to send one request, head and body together.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take nothing of its answers.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client may take to read one large answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a connection without a request is kept where there are nearly as many as may be: others wait for its
/// place.
const CROWDED_KEEP_ALIVE: Duration = Duration::from_secs(5);
/// So much of all places, in eighths, makes a crowd.
const CROWDED_EIGHTHS: usize = 7;
/// How often a waiting connection checks its bounds. A timer for each request would cost more.
const TICK: Duration = Duration::from_secs(2);
/// How much of an answer waits in the kernel, besides what the client's window has room for.
const UNSENT_BYTES_MAX: u32 = 16 * 1024;

/// A connection that fails with [`io::ErrorKind::TimedOut`] when its client is too slow.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    clock: Rc<Clock>,
    tick: Pin<Box<Sleep>>,
    /// When something was last sent or received.
    used_at: Instant,
    crowd: CrowdMember,
    /// Whether a read has to be repeated when the client takes something again.
    read_waits: bool,
}

impl Connection {
    /// Bounds the time that the client at the other end may take.
    pub(crate) fn new(stream: Stream, crowd: CrowdMember) -> Connection {
        // Without it, the kernel holds up to megabytes for each connection.
        if let Err(error) = SockRef::from(stream.socket()).set_tcp_notsent_lowat(UNSENT_BYTES_MAX) {
            tracing::debug!(%error, "the bytes that wait in the kernel are not bounded");
        }
        Connection {
            stream,
            clock: Rc::default(),
            tick: Box::pin(sleep(TICK)),
            used_at: Instant::now(),
            crowd,
            read_waits: false,
        }
    }

    /// What the connection waits for.
    pub(crate) fn clock(&self) -> &Rc<Clock> {
        &self.clock
    }

    /// Ready only once a bound is exceeded: with an error, or without one where there is no request.
    fn poll_bounds(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tick.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if self.clock.is_overdue(now, self.used_at) {
                // Unsent bytes are discarded, instead of being kept in the kernel.
                let _ = SockRef::from(self.stream.socket()).set_linger(Some(Duration::ZERO));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            if self.clock.is_idle() && now >= self.used_at + self.crowd.0.keep_alive() {
                return Poll::Ready(Ok(()));
            }
            self.tick.as_mut().reset(now + TICK);
        }
        Poll::Pending
    }

    /// Notes that the client has taken something.
    fn taken(&mut self, context: &Context<'_>) {
        if self.clock.blocked_since.take().is_some() {
            self.clock.restart_request();
            if std::mem::take(&mut self.read_waits) {
                context.waker().wake_by_ref();
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.clock.blocked_since.get().is_some() && self.clock.streams.get() == 0 {
            self.read_waits = true;
        } else {
            let filled = buffer.filled().len();
            let read = Pin::new(&mut self.stream).poll_read(context, buffer);
            if read.is_ready() {
                if buffer.filled().len() > filled {
                    self.used_at = Instant::now();
                    self.clock.received(self.used_at);
                }
                return read;
            }
        }
        // Without an error, as at the end of what a client sends.
        self.poll_bounds(context)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Ready(written) => {
                self.used_at = Instant::now();
                self.taken(context);
                Poll::Ready(written)
            }
            Poll::Pending => {
                self.clock.blocked();
                match self.poll_bounds(context) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    _ => Poll::Pending,
                }
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Ready(flushed) => {
                self.taken(context);
                Poll::Ready(flushed)
            }
            // What TLS has encrypted waits for the client, as what is written without it does.
            Poll::Pending => {
                self.clock.blocked();
                match self.poll_bounds(context) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    _ => Poll::Pending,
                }
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A connection in the crowd of its thread, also while its handshake lasts, until it is dropped.
#[derive(Debug)]
pub(crate) struct CrowdMember(Rc<Crowd>);

impl Drop for CrowdMember {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

/// The connections of one thread.
#[derive(Debug)]
pub(crate) struct Crowd {
    open: Cell<usize>,
    /// How many there may be.
    max: usize,
    /// How long one without a request is kept.
    keep_alive: Duration,
}

impl Crowd {
    /// None yet, and at most `max`, each kept for `keep_alive` without a request.
    pub(crate) fn new(max: usize, keep_alive: Duration) -> Rc<Crowd> {
        Rc::new(Crowd {
            open: Cell::new(0),
            max,
            keep_alive,
        })
    }

    /// One more connection.
    pub(crate) fn join(self: &Rc<Self>) -> CrowdMember {
        self.open.set(self.open.get() + 1);
        CrowdMember(self.clone())
    }

    fn keep_alive(&self) -> Duration {
        match self.open.get() * 8 >= self.max * CROWDED_EIGHTHS {
            true => self.keep_alive.min(CROWDED_KEEP_ALIVE),
            false => self.keep_alive,
        }
    }
}

/// What a connection waits for, and since when; shared with the requests on it.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// Requests whose heads have arrived and that are not answered.
    in_progress: Cell<u32>,
    /// When the first byte of an incomplete head arrived.
    request_began: Cell<Option<Instant>>,
    /// When the request in progress must be complete.
    body_due: Cell<Option<Instant>>,
    /// Since when the client has taken nothing.
    blocked_since: Cell<Option<Instant>>,
    /// When a large answer must have been taken.
    answer_due: Cell<Option<Instant>>,
    /// Requests in progress whose bodies are read while they are answered.
    streams: Cell<u32>,
}

impl Clock {
    /// That of the connection that a request came on. A request that [`crate::expect`] has made has it among
    /// its extensions, since only actix gives a request its connection's data.
    pub(crate) fn of(request: &HttpRequest) -> Option<Rc<Clock>> {
        let of_connection = request.conn_data::<Rc<Clock>>().cloned();
        of_connection.or_else(|| request.extensions().get::<Rc<Clock>>().cloned())
    }

    /// Notes that a head has arrived.
    pub(crate) fn begin(self: &Rc<Self>) -> InProgress {
        self.in_progress.set(self.in_progress.get() + 1);
        let began = self.request_began.take().unwrap_or_else(Instant::now);
        self.body_due.set(Some(began + REQUEST_TIMEOUT));
        InProgress(self.clone())
    }

    /// Notes that a body is read while it is answered, which bounds both by itself.
    pub(crate) fn stream(self: &Rc<Self>) -> StreamInProgress {
        self.streams.set(self.streams.get() + 1);
        StreamInProgress(self.begin())
    }

    /// When the body of the request in progress must be complete.
    pub(crate) fn body_due(&self) -> Option<Instant> {
        self.body_due.get()
    }

    /// Notes whether a large answer is under way, whose time is bounded.
    pub(crate) fn answers(&self, is_under_way: bool) {
        let due = is_under_way.then(|| Instant::now() + ANSWER_TIMEOUT);
        self.answer_due.set(due);
    }

    fn received(&self, now: Instant) {
        if self.in_progress.get() == 0 && self.request_began.get().is_none() {
            self.request_began.set(Some(now));
        }
    }

    fn blocked(&self) {
        if self.blocked_since.get().is_none() {
            self.blocked_since.set(Some(Instant::now()));
        }
    }

    /// Begins the time of a request again: nothing was read meanwhile, so the client could not send it.
    fn restart_request(&self) {
        if self.request_began.get().is_some() {
            self.request_began.set(Some(Instant::now()));
        }
    }

    /// Whether there is no request, and nothing to send.
    fn is_idle(&self) -> bool {
        self.in_progress.get() == 0
            && self.request_began.get().is_none()
            && self.blocked_since.get().is_none()
    }

    fn is_overdue(&self, now: Instant, used_at: Instant) -> bool {
        let over = |since: Option<Instant>, max| since.is_some_and(|since| now >= since + max);
        match self.blocked_since.get() {
            None => over(self.request_began.get(), REQUEST_TIMEOUT),
            // A client that sends a stream is at work.
            blocked if self.streams.get() > 0 => over(blocked.max(Some(used_at)), WRITE_TIMEOUT),
            blocked => over(blocked, WRITE_TIMEOUT) || over(self.answer_due.get(), Duration::ZERO),
        }
    }
}

/// A request in progress, until it is dropped.
#[derive(Debug)]
pub(crate) struct InProgress(Rc<Clock>);

/// A stream in progress, until it is dropped.
#[derive(Debug)]
pub(crate) struct StreamInProgress(InProgress);

impl Drop for StreamInProgress {
    fn drop(&mut self) {
        let InProgress(clock) = &self.0;
        clock.streams.set(clock.streams.get() - 1);
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.in_progress.set(self.0.in_progress.get() - 1);
    }
}
