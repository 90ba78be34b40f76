//! The rules of a user as JSON Schema, for the description of the services.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Object, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::{AGE_MAX, TEXT_MAX_CHARS, User};

/// No control characters, no white space at either end. No regular expression that all languages have names them.
#[rustfmt::skip]
const NAME_PATTERN: &str = concat!(
    r"^[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    r"([^\u0000-\u001f\u007f-\u009f]*",
    r"[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000])?$",
);

impl PartialSchema for User {
    fn schema() -> RefOr<Schema> {
        let age = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0))
            .maximum(Some(AGE_MAX))
            .description(Some("Years, written in digits alone."));
        ObjectBuilder::new()
            .description(Some("A user, identified by its name byte for byte."))
            .property("name", name())
            .property("age", age)
            .property("occupation", text("Any text.").build())
            .required("name")
            .required("age")
            .required("occupation")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .into()
    }
}

impl ToSchema for User {
    fn name() -> Cow<'static, str> {
        "User".into()
    }
}

fn name() -> Object {
    text("No control characters, no white space at either end.")
        .pattern(Some(NAME_PATTERN))
        .build()
}

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(TEXT_MAX_CHARS))
        .description(Some(description))
}
