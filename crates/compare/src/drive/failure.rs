//! How requests fail.

use std::error::Error as _;
use std::fmt;
use std::io;

use hyper::StatusCode;

/// One kind of failure. Small, so that none of the driver's ways to fail makes a text of it
/// while it is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// Answered, but not as it should be.
    Status(StatusCode),
    /// Answered with success, but without the version that belongs to it.
    NoVersion,
    /// Answered with more than any record is.
    TooLong,
    /// Answered with what is no HTTP.
    NotHttp,
    /// A connection could not be opened, or broke: why the system says that it did.
    Connection(io::ErrorKind),
    /// The service closed the connection before its answer was complete.
    Closed,
    /// It did not answer in so many seconds.
    NoAnswer(u64),
    /// The comparison was stopped before it had answered.
    Stopped,
}

impl Failure {
    /// Why a connection came to its end in the middle of a request.
    pub(super) fn of_broken(error: &hyper::Error) -> Failure {
        if error.is_parse() {
            return Failure::NotHttp;
        }
        let source = error.source();
        let system = source.and_then(|source| source.downcast_ref::<io::Error>());
        match system.map(io::Error::kind) {
            Some(io::ErrorKind::UnexpectedEof) | None => Failure::Closed,
            Some(kind) => Failure::Connection(kind),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Status(status) => write!(formatter, "{status}"),
            Failure::NoVersion => write!(formatter, "success without a version in ETag"),
            Failure::TooLong => write!(formatter, "an answer that is too long"),
            Failure::NotHttp => write!(formatter, "an answer that is not HTTP"),
            Failure::Connection(kind) => write!(formatter, "{kind}"),
            Failure::Closed => write!(formatter, "connection closed"),
            Failure::NoAnswer(seconds) => write!(formatter, "no answer in {seconds} s"),
            Failure::Stopped => write!(formatter, "no answer when the comparison was stopped"),
        }
    }
}
