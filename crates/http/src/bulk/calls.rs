//! What the calls about many users do, for the document of the service.

use cache_core::model::user::User;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, OneOfBuilder, Schema};

use crate::description::{
    Answer, Call, ENGINE, Header, JSON_BODY, PAGE, PARAMETERS, RequestHeader, Tag, USER_READ,
    WRITE, user_field,
};
use crate::example::john;
use crate::input::NAMES_MAX;
use crate::ndjson::MEDIA_TYPE;
use crate::position::Position;
use crate::problem::{FieldError, Kind};
use crate::write_parameters::taken_by;

/// A user to delete.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Deletion {
    /// Its name.
    #[schema(schema_with = name)]
    delete: String,
}

/// A line that was written.
#[derive(Serialize, ToSchema)]
struct WrittenLine {
    /// The number of the line, from 1.
    line: u64,
    /// `200` for a user, `204` for a deletion.
    status: u16,
    /// The version of the user.
    version: u64,
}

/// What a single call would be answered, without the id of a request.
#[derive(Serialize, ToSchema)]
struct ProblemOfOne<'a> {
    /// What went wrong. It is stable, and a path at the service, which describes it.
    r#type: &'a str,
    /// The same in a few words.
    title: &'a str,
    /// The status of the single call.
    status: u16,
    /// What went wrong, for people.
    detail: &'a str,
    /// Each field that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
    /// Where the line is no JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    position: Option<Position>,
    /// In place of `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after_s: Option<u64>,
}

/// A line that was not written.
#[derive(Serialize, ToSchema)]
struct RefusedLine<'a> {
    /// The number of the line, from 1.
    line: u64,
    /// Why.
    #[serde(flatten)]
    problem: ProblemOfOne<'a>,
}

/// A user that was found.
#[derive(Serialize, ToSchema)]
struct FoundUser {
    /// The name that was asked for.
    #[schema(schema_with = name)]
    name: String,
    /// What `Cache-Status` would be.
    cache_status: String,
    /// `200`.
    status: u16,
    /// What `ETag` would be, without the quotes.
    version: u64,
    /// The user.
    user: User,
}

/// A user that was not.
#[derive(Serialize, ToSchema)]
struct UnreadUser<'a> {
    /// The name that was asked for.
    #[schema(schema_with = name)]
    name: String,
    /// What `Cache-Status` would be, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cache_status: Option<String>,
    /// Why.
    #[serde(flatten)]
    problem: ProblemOfOne<'a>,
}

/// Each name's answer, in the order of the names.
#[derive(Serialize, ToSchema)]
struct Users<'a> {
    users: Vec<UserAnswer<'a>>,
}

/// What a read of one name is answered.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum UserAnswer<'a> {
    Found(FoundUser),
    Unread(UnreadUser<'a>),
}

pub(crate) fn batch() -> Call {
    let mut call = Call::new(Tag::Users, "writeUsers", "Write and delete many users")
        .text("Each line is a user or a deletion, of at most 16 KiB, and is answered in order.");
    let line = OneOfBuilder::new()
        .item(call.schema::<User>())
        .item(call.schema::<Deletion>());
    let mut answer = Answer::ok("A line for each line, in order, as soon as it is written.");
    let written = OneOfBuilder::new()
        .item(answer.schema::<WrittenLine>())
        .item(answer.schema::<RefusedLine<'_>>());
    let answer = answer.body(MEDIA_TYPE, Schema::from(written), None);
    taken_by(call.lines(Schema::from(line)))
        .answers(answer.header(Header::Durability))
        .refuses(PARAMETERS)
        .refuses(&[
            Kind::RequestTimeout,
            Kind::UnsupportedMediaType,
            Kind::Overloaded,
        ])
        .refuses(ENGINE)
        .refuses(WRITE)
}

pub(crate) fn get_many() -> Call {
    let names = ArrayBuilder::new()
        .items(user_field("name"))
        .max_items(Some(NAMES_MAX))
        .build();
    let answer = Answer::ok("What each name by itself would be answered, in their order.");
    let john = john();
    let found = FoundUser {
        name: john.name.clone(),
        cache_status: "write-through; hit".to_owned(),
        status: 200,
        version: 1_795_996_800_000_000,
        user: john,
    };
    let unread = UnreadUser {
        name: "Jane Doe".to_owned(),
        cache_status: Some("write-through; fwd=miss".to_owned()),
        problem: ProblemOfOne {
            r#type: Kind::NotFound.path(),
            title: Kind::NotFound.title(),
            status: Kind::NotFound.status().as_u16(),
            detail: "there is no user of this name",
            errors: Vec::new(),
            position: None,
            retry_after_s: None,
        },
    };
    let users = Users {
        users: vec![UserAnswer::Found(found), UserAnswer::Unread(unread)],
    };
    Call::new(Tag::Users, "readUsers", "Read many users by their names")
        .body_as(Schema::from(names), &["John Doe"])
        .heeds(RequestHeader::CacheControl)
        .answers(answer.json(&users))
        .refuses(JSON_BODY)
        .refuses(USER_READ)
        .refuses(ENGINE)
        .refuses(PAGE)
}

fn name() -> utoipa::openapi::RefOr<Schema> {
    user_field("name")
}
