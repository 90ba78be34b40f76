//! One answer of a call.

use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, Schema, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};

use super::headers::Header;
use super::schemas::{Schemas, named};

/// An answer that is no error.
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) response: ResponseBuilder,
    pub(super) schemas: Schemas,
}

impl Answer {
    /// Of this status, without a body. `text` says when it is given.
    pub fn new(status: StatusCode, text: &str) -> Answer {
        Answer {
            status,
            response: ResponseBuilder::new().description(text),
            schemas: Schemas::new(),
        }
    }

    /// `200`.
    pub fn ok(text: &str) -> Answer {
        Answer::new(StatusCode::OK, text)
    }

    /// With a body of JSON: the form is that of the example's type.
    pub fn json<T: Serialize + ToSchema>(mut self, example: &T) -> Answer {
        let schema = named::<T>(&mut self.schemas);
        // Of texts and numbers, so that it can be written as JSON.
        let example = serde_json::to_value(example).unwrap_or_default();
        self.body("application/json", schema, Some(example))
    }

    /// With a body that is a text to HTTP.
    pub fn text(self, media_type: &str, example: Option<&str>) -> Answer {
        let schema = Object::with_type(Type::String);
        self.body(media_type, schema, example.map(Value::from))
    }

    /// With a body of this media type, in this form.
    pub fn body(
        mut self,
        media_type: &str,
        schema: impl Into<RefOr<Schema>>,
        example: Option<Value>,
    ) -> Answer {
        let content = ContentBuilder::new()
            .schema(Some(schema))
            .example(example)
            .build();
        self.response = self.response.content(media_type, content);
        self
    }

    /// The reference to a type's schema, which the document is to have.
    pub fn schema<T: ToSchema>(&mut self) -> RefOr<Schema> {
        named::<T>(&mut self.schemas)
    }

    /// With a header.
    pub fn header(mut self, header: Header) -> Answer {
        self.response = with_header(self.response, header);
        self
    }
}

pub(super) fn with_header(response: ResponseBuilder, header: Header) -> ResponseBuilder {
    let name = header.name();
    response.header_ref(name, Ref::new(format!("#/components/headers/{name}")))
}
