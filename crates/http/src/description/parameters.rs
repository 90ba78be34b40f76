//! The parameters of calls.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, Required};

use super::schemas::{text, user_field};
use crate::precondition::TAGS_MAX;

/// A header of a request that a service heeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestHeader {
    /// Of every request.
    RequestId,
    /// Of every request.
    Traceparent,
    /// Of writes, and of reads by path.
    IfMatch,
    /// As `IfMatch`.
    IfNoneMatch,
    /// Of reads of one user.
    CacheControl,
    /// Of what there is in several forms.
    Accept,
    /// Of the metrics.
    AcceptEncoding,
}

impl RequestHeader {
    pub(super) const ALL: &[RequestHeader] = &[
        RequestHeader::RequestId,
        RequestHeader::Traceparent,
        RequestHeader::IfMatch,
        RequestHeader::IfNoneMatch,
        RequestHeader::CacheControl,
        RequestHeader::Accept,
        RequestHeader::AcceptEncoding,
    ];

    /// Those that every call takes.
    pub(super) const OF_ALL_CALLS: [RequestHeader; 2] =
        [RequestHeader::RequestId, RequestHeader::Traceparent];

    pub(super) fn name(self) -> &'static str {
        match self {
            RequestHeader::RequestId => "X-Request-Id",
            RequestHeader::Traceparent => "traceparent",
            RequestHeader::IfMatch => "If-Match",
            RequestHeader::IfNoneMatch => "If-None-Match",
            RequestHeader::CacheControl => "Cache-Control",
            RequestHeader::Accept => "Accept",
            RequestHeader::AcceptEncoding => "Accept-Encoding",
        }
    }

    pub(super) fn described(self) -> Parameter {
        let any = text();
        let tags = || {
            let more = TAGS_MAX - 1;
            let tag = r#"(W/)?"[!#-~]*""#;
            let pattern = format!(r"^(\*|{tag}([ \t]*,[ \t]*{tag}){{0,{more}}})$");
            let tags = ObjectBuilder::new().schema_type(Type::String);
            tags.pattern(Some(pattern)).build()
        };
        let (about, schema, example) = match self {
            RequestHeader::RequestId => (
                "An id for the request, of 1 to 128 letters, digits and `-_.:/+=~@`. Otherwise the service makes one.",
                any,
                "6c1f0a9be2d74835-000000002a",
            ),
            RequestHeader::Traceparent => (
                "The trace that the request belongs to (W3C Trace Context). An invalid one is ignored.",
                any,
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ),
            RequestHeader::IfMatch => (
                "`*` if there must be such a user, or the entity tags of which it must have one: up to 32.",
                tags(),
                "\"1764522030123456\"",
            ),
            RequestHeader::IfNoneMatch => (
                "`*` if there must be no such user, or the entity tags of which it must have none: up to 32.",
                tags(),
                "\"1764522030123456\"",
            ),
            RequestHeader::CacheControl => (
                "`no-cache` or `max-age=0` reads the database and fills the cache again.",
                any,
                "no-cache",
            ),
            RequestHeader::Accept => (
                "The media type that the client prefers.",
                any,
                "application/json",
            ),
            RequestHeader::AcceptEncoding => {
                ("With `gzip`, the answer is compressed.", any, "gzip")
            }
        };
        ParameterBuilder::new()
            .name(self.name())
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(about))
            .schema(Some(schema))
            .example(Some(example.into()))
            .build()
    }
}

/// A parameter of the query, which may be left out.
pub fn query(name: &str, text: &str, schema: Object) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(text))
        .schema(Some(schema))
        .build()
}

/// The name of a user in the path.
pub fn name_in_path(text: &str) -> Parameter {
    in_path("name", text, user_field("name"))
}

/// A parameter of the path.
pub fn in_path(name: &str, text: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(text))
        .schema(Some(schema))
        .build()
}
