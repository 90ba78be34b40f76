//! Errors as clients see them: RFC 9457 `application/problem+json`.
//!
//! Nothing in them comes from a driver, so there is no statement, no address
//! and no password in them.

mod kinds;

use std::borrow::Cow;
use std::fmt;

use actix_web::body::{BoxBody, MessageBody as _};
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use cache_core::error::{Error, Part};
use cache_core::outage::Calls;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::json::written;
use crate::position::Position;

pub use kinds::Kind;

/// The media type of the document.
pub(crate) const PROBLEM_MEDIA_TYPE: &str = "application/problem+json";
/// The same as a header.
pub(crate) const PROBLEM: HeaderValue = HeaderValue::from_static(PROBLEM_MEDIA_TYPE);

/// What is wrong with one field of a request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// Its name.
    field: String,
    /// What is wrong with it.
    #[schema(value_type = String)]
    detail: Cow<'static, str>,
}

/// After how many seconds a client comes back at the soonest.
pub(crate) const RETRY_S_MIN: u64 = 1;
/// Characters of a field's name that an answer repeats: clients choose it.
const FIELD_ECHO_MAX_CHARS: usize = 64;

/// `Retry-After` while an operator has to put something about a server right.
const NOT_ADMITTED_RETRY_AFTER_S: u64 = 5;

/// What is wrong with a request, field by field.
#[derive(Clone, Debug, Default)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Notes that `field` is wrong. Several reasons of one field follow each other.
    pub fn add(&mut self, field: &str, detail: impl Into<Cow<'static, str>>) {
        let field: String = field.chars().take(FIELD_ECHO_MAX_CHARS).collect();
        let detail = detail.into();
        match self.0.iter_mut().find(|error| error.field == field) {
            None => self.0.push(FieldError { field, detail }),
            Some(known) if known.detail.contains(&*detail) => {}
            Some(known) => known.detail = format!("{}; {detail}", known.detail).into(),
        }
    }

    /// `value`, where nothing was wrong; it is `None` only where something was.
    ///
    /// # Errors
    /// `422` with every field that was.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Problem::fields(self.0)),
        }
    }
}

/// An error answer.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    // Boxed, since few answers have one.
    header: Option<Box<(HeaderName, HeaderValue)>>,
    retry_after: Option<RetryAfter>,
    position: Option<Position>,
    // Boxed for the same reason.
    cause: Option<Box<Cause>>,
}

/// When a client may repeat its request.
#[derive(Clone, Copy, Debug)]
enum RetryAfter {
    Seconds(u64),
    /// By how long such calls of the part have failed.
    Unavailable(Part, Calls),
}

/// What failed below the routes, for the metrics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause {
    pub(crate) part: Option<Part>,
    pub(crate) kind: &'static str,
}

/// An error (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument<'a> {
    /// What went wrong. It is stable, and a path at the service, which describes it.
    r#type: &'static str,
    /// The same in a few words.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What went wrong in this request, for people.
    detail: &'a str,
    /// Each field that is wrong.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldError],
    /// Where the body is no JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    position: Option<Position>,
    /// The answer's `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, nullable = false)]
    request_id: Option<&'static str>,
}

impl Problem {
    /// An error of this type.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            header: None,
            retry_after: None,
            position: None,
            cause: None,
        }
    }

    /// `400`: the request cannot be read.
    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(Kind::MalformedRequest, detail)
    }

    /// `400`: the body is not JSON, from there on.
    pub fn invalid_json(detail: String, position: Position) -> Problem {
        Problem {
            position: Some(position),
            ..Problem::new(Kind::InvalidJson, detail)
        }
    }

    /// `422`: the request can be read, and these fields are wrong.
    fn fields(errors: Vec<FieldError>) -> Problem {
        let named: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        let detail = format!("not a valid request: {}", named.join(", "));
        Problem {
            errors,
            ..Problem::new(Kind::Validation, detail)
        }
    }

    /// `404`: there is no such user.
    pub fn no_such_user() -> Problem {
        Problem::new(Kind::NotFound, "there is no user of this name")
    }

    /// `412`: the user is not as the request's headers want it.
    pub fn precondition_failed() -> Problem {
        Problem::new(
            Kind::PreconditionFailed,
            "what If-Match or If-None-Match asks for does not hold; nothing was done",
        )
    }

    /// `405` with the methods that the resource has, as a list.
    pub fn method_not_allowed(allow: &HeaderValue) -> Problem {
        let detail = format!("this resource takes {}", allow.to_str().unwrap_or_default());
        Problem::with_header(Kind::MethodNotAllowed, detail, ALLOW, allow.clone())
    }

    /// An error of this type, whose answer has one more header.
    pub(crate) fn with_header(
        kind: Kind,
        detail: impl Into<Cow<'static, str>>,
        name: HeaderName,
        value: HeaderValue,
    ) -> Problem {
        Problem {
            header: Some(Box::new((name, value))),
            ..Problem::new(kind, detail)
        }
    }

    fn document(&self) -> ProblemDocument<'_> {
        ProblemDocument {
            r#type: self.kind.path(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            errors: &self.errors,
            position: self.position,
            request_id: None,
        }
    }

    /// What is wrong, for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// An error that passes, with the seconds after which to try again.
    pub fn passing(
        kind: Kind,
        detail: impl Into<Cow<'static, str>>,
        retry_after_s: u64,
    ) -> Problem {
        Problem {
            retry_after: Some(RetryAfter::Seconds(retry_after_s)),
            ..Problem::new(kind, detail)
        }
    }

    /// An error that passes when the part does such calls again.
    fn until_available(
        kind: Kind,
        detail: impl Into<Cow<'static, str>>,
        part: Part,
        calls: Calls,
    ) -> Problem {
        Problem {
            retry_after: Some(RetryAfter::Unavailable(part, calls)),
            ..Problem::new(kind, detail)
        }
    }

    /// The error that was answered with, if there was one.
    pub(crate) fn of_answer(response: &ServiceResponse) -> Option<&Problem> {
        response.response().error()?.as_error()
    }

    /// The part whose calls have to succeed first.
    pub(crate) fn unavailable(&self) -> Option<(Part, Calls)> {
        match self.retry_after {
            Some(RetryAfter::Unavailable(part, calls)) => Some((part, calls)),
            _ => None,
        }
    }

    /// What failed below the routes.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.cause.as_deref().copied()
    }

    /// The members of the document, and `retry_after_s` in place of the header.
    /// `seconds` is when to come back to an unavailable part.
    pub(crate) fn members(&self, seconds: impl FnOnce(Part, Calls) -> u64) -> Vec<u8> {
        let document = written(&self.document());
        let members = document.trim_ascii();
        let members = members.strip_prefix(b"{").unwrap_or(members);
        let mut members = members.strip_suffix(b"}").unwrap_or(members).to_vec();
        let retry_after_s = self.retry_after.map(|retry_after| match retry_after {
            RetryAfter::Seconds(seconds) => seconds,
            RetryAfter::Unavailable(part, calls) => seconds(part, calls),
        });
        if let Some(seconds) = retry_after_s {
            members.extend_from_slice(format!(r#","retry_after_s":{seconds}"#).as_bytes());
        }
        members
    }

    /// The answer to one line of a stream.
    pub(crate) fn line(&self, number: u64, seconds: impl FnOnce(Part, Calls) -> u64) -> Vec<u8> {
        let mut line = format!(r#"{{"line":{number},"#).into_bytes();
        line.append(&mut self.members(seconds));
        line.extend_from_slice(b"}\n");
        line
    }

    /// The same about this line of the body, rather than about a body that it was taken for.
    pub(crate) fn of_line(mut self, number: u64) -> Problem {
        if let Some(rest) = self.detail.strip_prefix("the body") {
            self.detail = format!("the line{rest}").into();
        }
        if let Some(position) = self.position {
            let moved = position.in_line(number);
            if let Some(detail) = self.detail.strip_suffix(&position.to_string()) {
                self.detail = format!("{detail}{moved}").into();
            }
            self.position = Some(moved);
        }
        self
    }

    fn caused_by(self, error: &Error) -> Problem {
        let cause = Cause {
            part: error.part(),
            kind: error.kind(),
        };
        Problem {
            cause: Some(Box::new(cause)),
            ..self
        }
    }

    /// A write that failed below the routes.
    pub fn of_write(error: &Error) -> Problem {
        match error {
            Error::Unavailable { part, .. } => Problem::until_available(
                Kind::OutcomeUnknown,
                format!(
                    "the {part} is unavailable, so it is unknown whether the write took place; repeating it is safe"
                ),
                *part,
                Calls::Writes,
            ),
            Error::NotAdmitted(reason) => Problem::passing(
                Kind::WritesRefused,
                format!("{reason}; nothing was written"),
                NOT_ADMITTED_RETRY_AFTER_S,
            ),
            other => Problem::of_read(other),
        }
    }

    /// A write that was acknowledged by the journal and is not in the database.
    pub fn of_acknowledged(error: &Error) -> Problem {
        match error {
            Error::NotPersisted => Problem::new(
                Kind::NotPersisted,
                "the write is in the journal and not yet in the database; it will be, and there is no need to repeat it",
            ),
            Error::DeadLetter => Problem::new(
                Kind::DeadLetter,
                "the write is in the journal, and the database refuses it; it is among the dead letters",
            ),
            Error::Unavailable { part, .. } => Problem::until_available(
                Kind::PersistenceUnknown,
                format!(
                    "the write is in the journal; whether it is in the database cannot be told, since the {part} is unavailable"
                ),
                *part,
                Calls::Reads,
            ),
            other => Problem::of_read(other),
        }
    }

    /// A read that failed below the routes.
    pub fn of_read(error: &Error) -> Problem {
        match error {
            Error::Unavailable { part, .. } | Error::Unseeded(part) => {
                let detail = format!("the {part} is unavailable");
                Problem::until_available(Kind::Unavailable, detail, *part, Calls::Reads)
            }
            Error::NotWritten { part, .. } => Problem::until_available(
                Kind::Unavailable,
                format!("the {part} is unavailable; nothing was written"),
                *part,
                Calls::Writes,
            ),
            Error::Full { what, retry_after } => Problem::passing(
                Kind::BacklogFull,
                format!("the journal is full: {what}; nothing was written"),
                retry_after.as_secs().max(1),
            ),
            Error::NotAdmitted(reason) => Problem::passing(
                Kind::WritesRefused,
                reason.to_string(),
                NOT_ADMITTED_RETRY_AFTER_S,
            ),
            Error::Fenced => Problem::passing(
                Kind::Contention,
                "the cache is being left or used again; nothing was written",
                1,
            ),
            Error::Locked => Problem::passing(
                Kind::Contention,
                "another transaction has locked this user in the database; nothing was written",
                1,
            ),
            Error::Undecided => Problem::passing(
                Kind::Contention,
                "another write of this name is in flight; nothing was written",
                1,
            ),
            Error::Overloaded => Problem::passing(
                Kind::Overloaded,
                "too many writes are waiting; nothing was written",
                1,
            ),
            Error::Stopping => Problem::passing(
                Kind::Stopping,
                "the service is stopping; nothing was written",
                1,
            ),
            Error::Refused { .. } => Problem::new(
                Kind::RefusedByDatabase,
                "the database refuses the record; nothing was written",
            ),
            Error::BrokenRow { field, rule } => Problem::new(
                Kind::BrokenRow,
                format!(
                    "another program has written this user to the database with a field that breaks a rule: {field} {rule}; writing or deleting the user replaces that"
                ),
            )
            .caused_by(error),
            Error::Corrupt { .. }
            | Error::BadSetting { .. }
            | Error::NotPersisted
            | Error::DeadLetter
            | Error::Panicked => Problem::new(
                Kind::Internal,
                "something went wrong here; the log says what",
            )
            .caused_by(error),
        }
    }
}

/// A document of this type.
pub(crate) fn example(kind: Kind) -> Value {
    let mut problem = Problem::new(kind, kind.meaning());
    match kind {
        Kind::Validation => {
            let mut errors = FieldErrors::default();
            errors.add("age", "must be a whole number from 0 to 150");
            problem = Problem::fields(errors.0);
        }
        Kind::InvalidJson => problem.position = Some(Position::START),
        _ => {}
    }
    let document = ProblemDocument {
        request_id: Some("6c1f0a9be2d74835-000000002a"),
        ..problem.document()
    };
    // Of texts and numbers, so that it can be written as JSON.
    serde_json::to_value(document).unwrap_or_default()
}

/// The document with the id of the request as its last member, of characters that JSON does not escape.
pub(crate) fn identified(document: BoxBody, request_id: &HeaderValue) -> BoxBody {
    let document = match document.try_into_bytes() {
        Ok(document) => document,
        Err(document) => return document,
    };
    let Some(members) = document.strip_suffix(b"}\n") else {
        return document.boxed();
    };
    let id = request_id.as_bytes();
    [members, br#","request_id":""#, id, b"\"}\n"]
        .concat()
        .boxed()
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind.status(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.kind.status());
        response.insert_header((CONTENT_TYPE, PROBLEM));
        if let Some(header) = &self.header {
            let (name, value) = &**header;
            response.insert_header((name.clone(), value.clone()));
        }
        match self.retry_after {
            None => {}
            Some(RetryAfter::Seconds(seconds)) => {
                response.insert_header((RETRY_AFTER, seconds));
            }
            // The exchange knows for how long it has been unavailable.
            Some(RetryAfter::Unavailable(..)) => {
                response.insert_header((RETRY_AFTER, RETRY_S_MIN));
            }
        }
        response.body(written(&self.document()))
    }
}
