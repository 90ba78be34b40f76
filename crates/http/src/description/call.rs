//! One call.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required};

use super::answer::Answer;
use super::parameters::RequestHeader;
use super::schemas::{Schemas, named};
use crate::ndjson::MEDIA_TYPE;
use crate::problem::Kind;

/// What calls have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Writing and reading users.
    Users,
    /// The journal of write-behind-svc.
    Journal,
    /// What the database refused.
    DeadLetters,
    /// The cache.
    Cache,
    /// How the service is.
    State,
    /// What the service is.
    About,
}

impl Tag {
    pub(super) const ALL: &[Tag] = &[
        Tag::Users,
        Tag::Journal,
        Tag::DeadLetters,
        Tag::Cache,
        Tag::State,
        Tag::About,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Tag::Users => "Users",
            Tag::Journal => "Journal",
            Tag::DeadLetters => "Dead letters",
            Tag::Cache => "Cache",
            Tag::State => "State",
            Tag::About => "About",
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Tag::Users => "Writing, reading and deleting users",
            Tag::Journal => "What waits for the database",
            Tag::DeadLetters => "Acknowledged writes that the database refused",
            Tag::Cache => "Cached values, after rows were changed with SQL",
            Tag::State => "Liveness, readiness, metrics, and a live page",
            Tag::About => "What the service is, and its documents",
        }
    }
}

/// What a call takes, and how it is answered.
pub struct Call {
    pub(super) tag: Tag,
    id: String,
    summary: String,
    /// The parameter of the path, which has at most one.
    in_path: Option<Parameter>,
    parameters: Vec<RefOr<Parameter>>,
    operation: OperationBuilder,
    pub(super) answers: BTreeMap<u16, Answer>,
    pub(super) problems: Vec<Kind>,
    pub(super) schemas: Schemas,
}

impl Call {
    /// `id` is the name of a function for it. `summary` says what it does, in a few words.
    pub fn new(tag: Tag, id: &str, summary: &str) -> Call {
        Call {
            tag,
            id: id.to_owned(),
            summary: summary.to_owned(),
            in_path: None,
            parameters: Vec::new(),
            operation: OperationBuilder::new().tag(tag.name()),
            answers: BTreeMap::new(),
            problems: Vec::new(),
            schemas: Schemas::new(),
        }
    }

    /// Says more about it.
    pub fn text(self, text: &str) -> Call {
        self.with(|operation| operation.description(Some(text)))
    }

    /// Takes a parameter of path or query.
    pub fn takes(mut self, parameter: Parameter) -> Call {
        if parameter.parameter_in == ParameterIn::Path {
            self.in_path = Some(parameter);
        } else {
            self.parameters.push(RefOr::T(parameter));
        }
        self
    }

    /// Heeds a header.
    pub fn heeds(mut self, header: RequestHeader) -> Call {
        let place = format!("#/components/parameters/{}", header.name());
        self.parameters.push(RefOr::Ref(Ref::new(place)));
        self
    }

    /// Takes JSON in the form of the example's type.
    pub fn body<T: Serialize + ToSchema>(mut self, example: &T) -> Call {
        let schema = named::<T>(&mut self.schemas);
        self.body_as(schema, example)
    }

    /// Takes JSON in this form.
    pub fn body_as(self, schema: impl Into<RefOr<Schema>>, example: &impl Serialize) -> Call {
        // Of texts and numbers, so that it can be written as JSON.
        self.body_of(
            "application/json",
            schema,
            serde_json::to_value(example).ok(),
        )
    }

    /// Takes a line of NDJSON for each of many things of this form.
    pub(crate) fn lines(self, schema: impl Into<RefOr<Schema>>) -> Call {
        self.body_of(MEDIA_TYPE, schema, None)
    }

    fn body_of(
        self,
        media_type: &str,
        schema: impl Into<RefOr<Schema>>,
        example: Option<Value>,
    ) -> Call {
        let content = ContentBuilder::new().schema(Some(schema)).example(example);
        let body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content(media_type, content.build());
        self.with(|operation| operation.request_body(Some(body.build())))
    }

    /// The reference to a type's schema, which the document is to have.
    pub(crate) fn schema<T: ToSchema>(&mut self) -> RefOr<Schema> {
        named::<T>(&mut self.schemas)
    }

    /// May be answered so.
    pub fn answers(mut self, answer: Answer) -> Call {
        self.schemas.extend(answer.schemas.clone());
        self.answers.insert(answer.status.as_u16(), answer);
        self
    }

    /// May be answered with errors of these types.
    pub fn refuses(mut self, kinds: &[Kind]) -> Call {
        self.problems.extend_from_slice(kinds);
        self
    }

    /// The call at `path`. Where that has a name in place of the parameter, it is the call for that one name.
    pub(super) fn at(self, path: &str) -> OperationBuilder {
        let is_for_all = self.in_path.is_none() || path.contains('{');
        let mut operation = self.operation;
        if let Some(parameter) = self.in_path.filter(|_| is_for_all) {
            operation = operation.parameter(parameter);
        }
        for parameter in self.parameters {
            operation = match parameter {
                RefOr::T(parameter) => operation.parameter(parameter),
                RefOr::Ref(place) => operation.parameter_ref(place),
            };
        }
        let (id, summary) = match path.rsplit('/').next() {
            Some(one) if !is_for_all => (
                format!("{}_{one}", self.id),
                format!("{}: the one called `{one}`", self.summary),
            ),
            _ => (self.id, self.summary),
        };
        operation.operation_id(Some(id)).summary(Some(summary))
    }

    fn with(mut self, change: impl FnOnce(OperationBuilder) -> OperationBuilder) -> Call {
        self.operation = change(self.operation);
        self
    }
}
