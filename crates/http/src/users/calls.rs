//! What the calls on users do, for the document of the service.

use actix_web::http::StatusCode;
use cache_core::model::user::User;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use super::{PAGE_DEFAULT, PAGE_MAX};
use crate::description::{
    Answer, Call, ENGINE, Header, JSON_BODY, PAGE, PARAMETERS, RequestHeader, Tag, USER_READ,
    WRITE, name_in_path, position, query, user_field, whole_number,
};
use crate::example::john;
use crate::json::Message;
use crate::ndjson::MEDIA_TYPE;
use crate::problem::Kind;
use crate::write_parameters::taken_by;

/// What a write is answered with.
pub(super) const WRITTEN: Message = Message {
    message: "Data write successful!",
};

const NAME: &str = "The user's name, percent-encoded.";

/// A page of users, in the order of their names' bytes.
#[derive(Serialize, ToSchema)]
pub(super) struct UserPage {
    /// Fewer than `limit` do not mean that it is the last page.
    pub(super) users: Vec<User>,
    /// What to send as `after` for the next page; `null` at the end.
    #[schema(required)]
    pub(super) next: Option<String>,
}

/// The name of a user.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserName {
    /// As in `User`.
    #[schema(schema_with = name)]
    name: String,
}

/// A user, whose name may be left out, since the path has it.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserOfPath {
    /// The name in the path, or nothing.
    #[schema(schema_with = name, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// As in `User`.
    #[schema(schema_with = age)]
    age: u8,
    /// As in `User`.
    #[schema(schema_with = occupation)]
    occupation: String,
}

pub(super) fn write() -> Call {
    let call = Call::new(Tag::Users, "writeUser", "Write a user")
        .text("Replaces the user of that name, if there is one.")
        .body(&john());
    writes(call)
}

pub(super) fn put() -> Call {
    let User {
        age, occupation, ..
    } = john();
    let user = UserOfPath {
        name: None,
        age,
        occupation,
    };
    let call = Call::new(Tag::Users, "putUser", "Write the user of this name")
        .text("Replaces the user, if there is one.")
        .takes(name_in_path(NAME))
        .body(&user);
    writes(call)
}

fn writes(call: Call) -> Call {
    let written = Answer::ok("The user is written, as safely as `Durability` says.")
        .json(&WRITTEN)
        .header(Header::ETag)
        .header(Header::Durability);
    of_write(call).answers(written).refuses(JSON_BODY)
}

pub(super) fn delete() -> Call {
    let deleted = Answer::new(
        StatusCode::NO_CONTENT,
        "The user is deleted, as safely as `Durability` says.",
    );
    let call = Call::new(Tag::Users, "deleteUser", "Delete a user").takes(name_in_path(NAME));
    of_write(call)
        .answers(deleted.header(Header::ETag).header(Header::Durability))
        .refuses(PARAMETERS)
        .refuses(&[Kind::NotFound])
}

fn of_write(call: Call) -> Call {
    taken_by(call)
        .heeds(RequestHeader::IfMatch)
        .heeds(RequestHeader::IfNoneMatch)
        .refuses(ENGINE)
        .refuses(WRITE)
}

pub(super) fn get() -> Call {
    let call = Call::new(Tag::Users, "getUser", "Read a user")
        .takes(name_in_path(NAME))
        .heeds(RequestHeader::IfMatch)
        .heeds(RequestHeader::IfNoneMatch);
    let unchanged = Answer::new(
        StatusCode::NOT_MODIFIED,
        "The user has one of the tags in `If-None-Match`.",
    );
    reads(call)
        .answers(unchanged.header(Header::ETag).header(Header::CacheStatus))
        .refuses(PARAMETERS)
        .refuses(&[Kind::PreconditionFailed])
}

pub(super) fn read() -> Call {
    let User { name, .. } = john();
    let call = Call::new(
        Tag::Users,
        "readUser",
        "Read the user of a name in the body",
    )
    .body(&UserName { name });
    reads(call).refuses(JSON_BODY)
}

fn reads(call: Call) -> Call {
    let found = Answer::ok("The user.")
        .json(&john())
        .header(Header::ETag)
        .header(Header::CacheStatus);
    call.heeds(RequestHeader::CacheControl)
        .answers(found)
        .refuses(&[Kind::NotFound])
        .refuses(USER_READ)
        .refuses(ENGINE)
}

pub(super) fn list() -> Call {
    let example = UserPage {
        users: vec![john()],
        next: None,
    };
    let mut page = Answer::ok("A page of users; as lines, all users.").json(&example);
    let line = page.schema::<User>();
    let page = page.body(MEDIA_TYPE, line, None).header(Header::Vary);
    Call::new(Tag::Users, "listUsers", "List the users in the database")
        .text("Does not see what still waits in a journal. Rows of other programs that break the rules are left out.")
        .takes(query(
            "after",
            "The position after which the page begins, of at most 1,020 bytes: `next` of the page before.",
            position(),
        ))
        .takes(query(
            "limit",
            "Most users of the page.",
            whole_number(1..=PAGE_MAX, PAGE_DEFAULT),
        ))
        .answers(page)
        .refuses(PARAMETERS)
        .refuses(ENGINE)
        .refuses(PAGE)
}

fn name() -> RefOr<Schema> {
    user_field("name")
}

fn age() -> RefOr<Schema> {
    user_field("age")
}

fn occupation() -> RefOr<Schema> {
    user_field("occupation")
}

#[cfg(test)]
mod tests {
    use cache_core::model::record::{Key, Record};
    use cache_core::model::version::Version;
    use cache_core::store::Page;

    use super::*;
    use crate::json::written;

    #[test]
    fn answers_written_by_hand_have_the_described_form() {
        assert_eq!(super::super::WRITTEN, written(&WRITTEN));
        for next in [None, Some("Zoë".to_owned())] {
            let record = Record {
                key: Key::from("John Doe"),
                version: Version::new(1).unwrap(),
                body: Some(john().to_body()),
            };
            let page = Page {
                records: vec![record.clone(), record],
                next: next.as_deref().map(Key::from),
            };
            let described = UserPage {
                users: vec![john(), john()],
                next,
            };
            assert_eq!(super::super::listing(&page).unwrap(), written(&described));
        }
    }
}
