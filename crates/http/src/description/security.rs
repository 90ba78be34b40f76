//! Which token a call needs.

use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};

use crate::auth::Right;

/// The name of the scheme.
pub(super) const SCHEME: &str = "token";

/// Bearer tokens.
pub(super) fn scheme() -> SecurityScheme {
    let text = "A token of AUTH_TOKENS_FILE. Its right is `read`, `write`, which includes `read`, or `admin`, which \
                includes both.";
    let http = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(text));
    SecurityScheme::Http(http.build())
}

/// The operation for callers that have the right.
pub(super) fn needs(operation: OperationBuilder, right: Right) -> OperationBuilder {
    match right {
        Right::Anyone => operation,
        right => operation.security(SecurityRequirement::new(SCHEME, [right.name()])),
    }
}
