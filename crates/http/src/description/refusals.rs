//! The errors of calls: which there are, and how the document says so.

use std::collections::BTreeMap;

use cache_core::settings::Service;
use serde_json::Value;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::answer::with_header;
use super::headers::Header;
use crate::problem::{Kind, PROBLEM_MEDIA_TYPE, example};

/// Of calls that take JSON.
pub const JSON_BODY: &[Kind] = &[
    Kind::InvalidJson,
    Kind::MalformedRequest,
    Kind::RequestTimeout,
    Kind::BodyTooLarge,
    Kind::UnsupportedMediaType,
    Kind::Validation,
];

/// Of calls with parameters in path or query.
pub const PARAMETERS: &[Kind] = &[Kind::MalformedRequest, Kind::Validation];

/// Of calls whose answers may be large.
pub const PAGE: &[Kind] = &[Kind::Overloaded];

/// Of calls that ask the engine.
pub const ENGINE: &[Kind] = &[
    Kind::Internal,
    Kind::Unavailable,
    Kind::WritesRefused,
    Kind::Contention,
    Kind::Overloaded,
    Kind::Stopping,
];

/// Of reads of one user, beside those of the engine.
pub const USER_READ: &[Kind] = &[Kind::BrokenRow];

/// Of writes, beside those of the engine.
pub const WRITE: &[Kind] = &[
    Kind::PreconditionFailed,
    Kind::RefusedByDatabase,
    Kind::DeadLetter,
    Kind::BrokenRow,
    Kind::OutcomeUnknown,
    Kind::PersistenceUnknown,
    Kind::BacklogFull,
    Kind::NotPersisted,
];

/// Those that need a journal.
const OF_JOURNALS: &[Kind] = &[
    Kind::StillRefused,
    Kind::DeadLetter,
    Kind::PersistenceUnknown,
    Kind::BacklogFull,
    Kind::NotPersisted,
];

/// Whether an answer of the service may have this type.
pub(super) fn is_of(service: Service, kind: Kind) -> bool {
    service == Service::WriteBehind || !OF_JOURNALS.contains(&kind)
}

/// One answer for each status of the errors.
pub(super) fn responses(kinds: impl IntoIterator<Item = Kind>) -> Vec<(u16, Response)> {
    let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in kinds {
        let same = by_status.entry(kind.status().as_u16()).or_default();
        if !same.contains(&kind) {
            same.push(kind);
        }
    }
    let by_status = by_status.into_iter();
    by_status
        .map(|(status, kinds)| (status, response(status, &kinds)))
        .collect()
}

fn response(status: u16, kinds: &[Kind]) -> Response {
    let titles: Vec<String> = kinds
        .iter()
        .map(|kind| format!("`{}`: {}.", kind.path(), kind.title()))
        .collect();
    let types = kinds.iter().map(|kind| Value::from(kind.path()));
    let of_these = ObjectBuilder::new().schema_type(Type::String);
    let of_these = of_these.enum_values(Some(types)).build();
    let of_these = ObjectBuilder::new().property("type", of_these);
    let schema = AllOfBuilder::new()
        .item(Ref::from_schema_name("Problem"))
        .item(of_these);
    let examples = kinds.iter().map(|kind| {
        let name = kind.name();
        let place = format!("#/components/examples/{name}");
        (name, RefOr::<Example>::Ref(Ref::new(place)))
    });
    let content = ContentBuilder::new()
        .schema(Some(Schema::from(schema)))
        .examples_from_iter(examples)
        .build();
    let response = ResponseBuilder::new()
        .description(titles.join(" "))
        .content(PROBLEM_MEDIA_TYPE, content);
    match status {
        429 | 503 => with_header(response, Header::RetryAfter).build(),
        _ => response.build(),
    }
}

/// What an error of this type looks like.
pub(super) fn described(kind: Kind) -> Example {
    ExampleBuilder::new()
        .summary(kind.title())
        .description(format!("{} {}", kind.meaning(), kind.advice()))
        .value(Some(example(kind)))
        .build()
}
