//! The whole document.

use std::collections::BTreeSet;

use actix_web::http::Method;
use bytes::Bytes;
use cache_core::revision;
use cache_core::settings::Service;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, PathItemBuilder, PathsBuilder,
};
use utoipa::openapi::schema::Components;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Ref,
    ResponseBuilder, ServerBuilder,
};

use super::answer::with_header;
use super::call::{Call, Tag};
use super::headers::Header;
use super::parameters::RequestHeader;
use super::refusals;
use super::routes::{Described, Routes};
use super::schemas::{Schemas, named};
use super::security;
use crate::auth::Right;
use crate::observe;
use crate::problem::{Kind, ProblemDocument};

const TEXT: &str = "\
Errors are `application/problem+json` (RFC 9457), by whose `type` a client handles them; `GET /problems` lists the types. \
`HEAD` works wherever `GET` does, with the same answer but for its body. `OPTIONS` has the methods of a path in `Allow`. \
Any other method of a path is answered `405`, any other path `404`. \
What is no HTTP request at all is answered with a bare `400` or `431`. \
With `AUTH_TOKENS_FILE`, calls need a bearer token; the scope that a call names is the least right that its token has. \
Without that setting no call needs one. \
A browser's request that may change something is answered `403` if it comes from a page of another origin.";

/// The document as it is answered, made once.
#[derive(Clone, Debug)]
pub(crate) struct Document(pub(crate) Bytes);

impl Document {
    /// Describes these routes of the service, of which a caller needs a token for most, or for none.
    pub(crate) fn of(service: Service, routes: &Routes, wants_tokens: bool) -> Document {
        // Of texts and numbers, so that it can be written as JSON.
        let mut text = document(service, routes, wants_tokens)
            .to_json()
            .unwrap_or_default();
        text.push('\n');
        Document(text.into())
    }
}

/// The description of a service's routes, with the rights that calls need where tokens are wanted.
pub fn document(service: Service, routes: &Routes, wants_tokens: bool) -> OpenApi {
    let mut schemas = Schemas::new();
    named::<ProblemDocument<'_>>(&mut schemas);
    let mut kinds = BTreeSet::new();
    let mut tags = Vec::new();
    let mut paths = PathsBuilder::new();
    for described in routes.described() {
        let Described {
            path,
            method,
            right,
            call,
        } = described;
        let mut call = call();
        schemas.append(&mut call.schemas);
        tags.push(call.tag);
        let problems = problems(service, described, &call);
        kinds.extend(problems.iter().map(|kind| kind.name()));
        let operation = operation(call, path, &problems);
        let operation = match wants_tokens {
            true => security::needs(operation, *right),
            false => operation,
        };
        paths = paths.path(*path, item(method, operation.build()));
    }
    let tags = Tag::ALL.iter().filter(|tag| tags.contains(tag));
    let tags = tags.map(|tag| {
        let tag = TagBuilder::new()
            .name(tag.name())
            .description(Some(tag.text()));
        tag.build()
    });
    OpenApiBuilder::new()
        .info(info(service))
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .tags(Some(tags))
        .paths(paths)
        .components(Some(components(schemas, &kinds)))
        .build()
}

fn info(service: Service) -> InfoBuilder {
    let license = LicenseBuilder::new()
        .name("Apache License 2.0 or MIT license")
        .identifier(Some("Apache-2.0 OR MIT"));
    InfoBuilder::new()
        .title(service.binary())
        .version(revision::VERSION)
        .description(Some(TEXT))
        .license(Some(license.build()))
}

/// The errors of a call, with those that any call may have.
fn problems(service: Service, described: &Described, call: &Call) -> Vec<Kind> {
    let right = described.right;
    let (changes, is_for_some) = (described.method != Method::GET, right != Right::Anyone);
    let of_door = [
        (Kind::MalformedRequest, is_for_some),
        (Kind::Unauthorized, is_for_some),
        (Kind::InsufficientRight, right > Right::Read),
        (Kind::UnknownHost, true),
        (Kind::RateLimited, !observe::is_a_probe(described.path)),
        (Kind::Overloaded, observe::is_of_clients(described.path)),
        (Kind::ForeignOrigin, changes),
    ];
    let of_door = of_door.iter().filter(|(_, may_be)| *may_be);
    let all = call.problems.iter().chain(of_door.map(|(kind, _)| kind));
    all.copied()
        .filter(|kind| refusals::is_of(service, *kind))
        .collect()
}

fn operation(mut call: Call, path: &str, problems: &[Kind]) -> OperationBuilder {
    let answers = std::mem::take(&mut call.answers);
    let mut operation = call.at(path);
    for (status, answer) in answers {
        let response = of_every_call(answer.response);
        operation = operation.response(status.to_string(), response.build());
    }
    for (status, response) in refusals::responses(problems.iter().copied()) {
        let response = of_every_call(response.into());
        operation = operation.response(status.to_string(), response.build());
    }
    operation
}

fn of_every_call(response: ResponseBuilder) -> ResponseBuilder {
    [Header::RequestId, Header::CacheControl]
        .into_iter()
        .fold(response, with_header)
}

fn item(method: &Method, operation: Operation) -> PathItem {
    let method = match method.as_str() {
        "GET" => HttpMethod::Get,
        "HEAD" => HttpMethod::Head,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Post,
    };
    let headers = RequestHeader::OF_ALL_CALLS
        .map(|header| Ref::new(format!("#/components/parameters/{}", header.name())));
    PathItemBuilder::new()
        .operation(method, operation)
        .parameter_refs(Some(headers))
        .build()
}

fn components(schemas: Schemas, kinds: &BTreeSet<&str>) -> Components {
    let mut components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(security::SCHEME, security::scheme());
    for header in Header::ALL {
        components = components.header(header.name(), header.described());
    }
    for header in RequestHeader::ALL {
        components = components.parameter(header.name(), header.described());
    }
    let kinds = Kind::ALL.iter().filter(|kind| kinds.contains(kind.name()));
    for kind in kinds {
        components = components.example(kind.name(), refusals::described(*kind));
    }
    components.build()
}
