//! The schemas that no type of ours has: parameters, and what the document refers to by name.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use cache_core::model::user::User;
use cache_core::store::POSITION_BYTES_MAX;
use serde_json::Value;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema as _, ToSchema};

/// The named schemas of a document.
pub(super) type Schemas = BTreeMap<String, RefOr<Schema>>;

/// A reference to the schema of `T`, which joins `schemas` with all that it refers to.
pub(super) fn named<T: ToSchema>(schemas: &mut Schemas) -> RefOr<Schema> {
    let mut referred = Vec::new();
    T::schemas(&mut referred);
    schemas.extend(referred);
    let name = T::name().into_owned();
    schemas.insert(name.clone(), T::schema());
    Ref::from_schema_name(name).into()
}

/// The schema of one field of a user.
pub(crate) fn user_field(field: &str) -> RefOr<Schema> {
    let field = match User::schema() {
        RefOr::T(Schema::Object(user)) => user.properties.get(field).cloned(),
        _ => None,
    };
    field.unwrap_or_else(|| text().into())
}

/// Any text.
pub fn text() -> Object {
    Object::with_type(Type::String)
}

/// A whole number in a range, and the one that is taken without any.
pub fn whole_number(range: RangeInclusive<u32>, default: u32) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(*range.start()))
        .maximum(Some(*range.end()))
        .default(Some(default.into()))
        .build()
}

/// One of these texts.
pub fn choice(choices: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(choices.into_iter().map(Value::from)))
        .build()
}

/// A position among names, or a part of a text. The limit is in bytes, of which no schema knows.
pub fn position() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(POSITION_BYTES_MAX))
        .build()
}
