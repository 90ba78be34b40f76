//! What a call does, for the clients that read `/openapi.json`.
//!
//! Each route names a function that returns its [`Call`], beside its handler. The document is made of these and of
//! the table of routes, so it has exactly the routes that there are.

mod answer;
mod call;
mod document;
mod headers;
mod parameters;
mod refusals;
mod routes;
mod schemas;
mod security;

pub use answer::Answer;
pub use call::{Call, Tag};
pub(crate) use document::Document;
pub use document::document;
pub use headers::Header;
pub use parameters::{RequestHeader, in_path, name_in_path, query};
pub use refusals::{ENGINE, JSON_BODY, PAGE, PARAMETERS, USER_READ, WRITE};
pub(crate) use routes::Described;
pub use routes::Routes;
pub(crate) use schemas::user_field;
pub use schemas::{choice, position, text, whole_number};

#[cfg(test)]
mod tests;
