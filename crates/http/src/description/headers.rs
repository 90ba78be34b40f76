//! The headers of answers.

use serde_json::Value;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{self, HeaderBuilder};

/// A header that an answer always has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Header {
    /// Of every answer.
    RequestId,
    /// Of every answer.
    CacheControl,
    /// Of writes, and of reads of one user.
    ETag,
    /// Of writes.
    Durability,
    /// Of reads of one user.
    CacheStatus,
    /// Of every `429` and `503`.
    RetryAfter,
    /// Of answers that depend on headers of the request.
    Vary,
}

impl Header {
    pub(super) const ALL: &[Header] = &[
        Header::RequestId,
        Header::CacheControl,
        Header::ETag,
        Header::Durability,
        Header::CacheStatus,
        Header::RetryAfter,
        Header::Vary,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Header::RequestId => "X-Request-Id",
            Header::CacheControl => "Cache-Control",
            Header::ETag => "ETag",
            Header::Durability => "Durability",
            Header::CacheStatus => "Cache-Status",
            Header::RetryAfter => "Retry-After",
            Header::Vary => "Vary",
        }
    }

    pub(super) fn described(self) -> openapi::Header {
        let (text, schema, example) = match self {
            Header::RequestId => (
                "The client's `X-Request-Id`, or a new one. The log has it.",
                of_text(r"^[A-Za-z0-9\-_.:/+=~@]{1,128}$"),
                "6c1f0a9be2d74835-000000002a".into(),
            ),
            Header::CacheControl => (
                "`private, no-cache` with a user and on HTML pages, else `no-store`.",
                of_text("^(private, no-cache|no-store)$"),
                "no-store".into(),
            ),
            Header::ETag => (
                "The version of the user, which grows with every write of the name.",
                of_text(r#"^"[0-9]+"$"#),
                "\"1764522030123456\"".into(),
            ),
            Header::Durability => (
                "`persisted`: the database has committed the write. `journaled`: the journal has it.",
                of_text("^(persisted|journaled)$"),
                "persisted".into(),
            ),
            Header::CacheStatus => (
                "Whether the cache had the user (RFC 9211): `hit`, or why the database was read.",
                of_text("^write-(through|behind); (hit|fwd=(miss|request|bypass)(; .+)?)$"),
                "write-through; hit".into(),
            ),
            Header::RetryAfter => (
                "After how many seconds to repeat the request.",
                ObjectBuilder::new()
                    .schema_type(Type::Integer)
                    .minimum(Some(0)),
                1.into(),
            ),
            Header::Vary => (
                "The headers of the request that the answer depends on.",
                ObjectBuilder::new().schema_type(Type::String),
                "Accept".into(),
            ),
        };
        described(text, schema, example)
    }
}

fn of_text(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
}

fn described(text: &str, schema: ObjectBuilder, example: Value) -> openapi::Header {
    // OpenAPI's `required` of a header, which utoipa does not have.
    let required = Extensions::from_iter([("required", true)]);
    HeaderBuilder::new()
        .description(Some(text))
        .schema(Some(schema))
        .example(Some(example))
        .extensions(Some(required))
        .build()
}
