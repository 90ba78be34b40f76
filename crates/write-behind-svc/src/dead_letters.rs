//! Dead letters: what the database refused, for an operator to look at, try
//! again or give up.

use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cache_core::engine::write_behind::WriteBehind;
use cache_core::error::Error;
use cache_core::model::dead_letter::{DeadLetter, LetterQuery};
use cache_core::model::record::Key;
use cache_core::model::user::User;
use cache_http::description::{
    Answer, Call, ENGINE, PAGE, Tag, in_path, position, query, text, whole_number,
};
use cache_http::json::{Message, json};
use cache_http::path;
use cache_http::problem::{Kind, Problem};
use cache_http::query::Query;
use cache_http::resource::{Right, Routes, get, on, resource};
use cache_http::state::State;
use serde::Serialize;
use serde_json::{Value, json as value};
use utoipa::ToSchema;

use crate::letter_filter::{filter, filtered};
use crate::replay;

const LIMIT_MAX: u32 = 1000;
const LIMIT_DEFAULT: u32 = 100;

/// Adds the routes under `/dead-letters`.
pub(crate) fn configure(routes: &mut Routes) {
    resource(
        routes,
        "/dead-letters",
        "GET, HEAD",
        vec![get(Right::Admin, list, list_call)],
    );
    // Before the letters by name, of which one may be called so.
    resource(
        routes,
        "/dead-letters/replay",
        "POST, DELETE",
        vec![
            on(
                Method::POST,
                Right::Admin,
                replay::replay_all,
                replay::replay_all_call,
            ),
            on(Method::DELETE, Right::Admin, delete, delete_call),
        ],
    );
    resource(
        routes,
        "/dead-letters/{name}",
        "DELETE",
        vec![on(Method::DELETE, Right::Admin, delete, delete_call)],
    );
    resource(
        routes,
        "/dead-letters/{name}/replay",
        "POST",
        vec![on(Method::POST, Right::Admin, replay, replay_call)],
    );
}

fn list_call() -> Call {
    let letter = Letter {
        name: "John Doe".to_owned(),
        version: 1_764_522_030_123_456,
        written_at: "2025-11-30T17:00:30.123456Z".to_owned(),
        set_aside_at: "2025-11-30T17:00:30.234567Z".to_owned(),
        reason: "a value is out of range".to_owned(),
        held_back: false,
        record: value!({"name": "John Doe", "age": 30, "occupation": "Engineer"}),
    };
    let page = Letters {
        dead_letters: vec![letter],
        next: None,
    };
    let call = Call::new(
        Tag::DeadLetters,
        "listDeadLetters",
        "List the writes that the database refused",
    )
    .takes(query(
        "after",
        "The position after which the page begins, of at most 1,020 bytes: `next` of the page before.",
        position(),
    ))
    .takes(query(
        "limit",
        "Most letters of the page.",
        whole_number(1..=LIMIT_MAX, LIMIT_DEFAULT),
    ));
    filtered(call)
        .answers(Answer::ok("A page of dead letters.").json(&page))
        .refuses(PAGE)
}

fn replay_call() -> Call {
    let call = Call::new(
        Tag::DeadLetters,
        "replayDeadLetter",
        "Apply a dead letter once more",
    )
    .answers(
        Answer::ok("The database has the write or a newer one of the name, and the letter ended.")
            .json(&REPLAYED),
    )
    .refuses(&[Kind::StillRefused, Kind::OutcomeUnknown, Kind::BacklogFull]);
    of_one(call)
}

fn delete_call() -> Call {
    let gone = Answer::new(
        StatusCode::NO_CONTENT,
        "The letter is gone. Readers see what the database has.",
    );
    let call = Call::new(
        Tag::DeadLetters,
        "deleteDeadLetter",
        "Give up the write of a dead letter",
    );
    of_one(call.answers(gone).refuses(&[Kind::OutcomeUnknown]))
}

fn of_one(call: Call) -> Call {
    call.takes(in_path("name", "The user's name, percent-encoded.", text()))
        .refuses(&[Kind::MalformedRequest, Kind::NotFound])
        .refuses(ENGINE)
}

/// A page of dead letters, in the order of their names' bytes.
#[derive(Serialize, ToSchema)]
struct Letters {
    /// Those of the page.
    dead_letters: Vec<Letter>,
    /// What to send as `after` for the next page; `null` at the end.
    #[schema(required)]
    next: Option<String>,
}

/// A write that the database refused.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
struct Letter {
    /// The user's name.
    name: String,
    /// The version of the write.
    version: u64,
    /// When it was acknowledged.
    #[schema(format = DateTime)]
    written_at: String,
    /// When the database refused it.
    #[schema(format = DateTime)]
    set_aside_at: String,
    /// Why.
    reason: String,
    /// Whether it waits in the journal, since the limit of dead letters is reached.
    held_back: bool,
    /// The record; `null` for a delete; a text where it is no JSON.
    record: Value,
}

impl From<DeadLetter> for Letter {
    fn from(letter: DeadLetter) -> Letter {
        let record = match &letter.record.body {
            None => Value::Null,
            Some(body) => shown(letter.record.key.as_str(), body),
        };
        Letter {
            name: letter.record.key.as_str().to_owned(),
            version: letter.record.version.get(),
            written_at: letter.record.version.to_rfc3339(),
            set_aside_at: letter.set_aside_at.to_rfc3339(),
            reason: letter.reason.as_ref().to_owned(),
            held_back: letter.held_back,
            record,
        }
    }
}

/// The record; a text where it is none.
fn shown(name: &str, body: &[u8]) -> Value {
    let user = User::from_body(name, body).and_then(serde_json::to_value);
    user.or_else(|_| serde_json::from_slice(body))
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

async fn list(
    engine: Data<WriteBehind>,
    state: Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut query = Query::parse(request.query_string())?;
    let limit = query.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT);
    let after = query.position("after").map(Key::from);
    let wanted = LetterQuery {
        after,
        // One more tells whether there are more.
        max: limit as usize + 1,
        ..filter(&mut query)
    };
    query.finish()?;
    let room = state.answers.room_for_page(limit).await?;
    let letters = engine.dead_letter_page(&wanted).await;
    let mut letters = letters.map_err(|error| Problem::of_read(&error))?;
    let has_more = letters.len() > limit as usize;
    letters.truncate(limit as usize);
    let last = letters.last().filter(|_| has_more);
    let letters = Letters {
        next: last.map(|letter| letter.record.key.as_str().to_owned()),
        dead_letters: letters.into_iter().map(Letter::from).collect(),
    };
    let mut response = json(HttpResponse::Ok(), &letters);
    response.extensions_mut().insert(room);
    Ok(response)
}

const REPLAYED: Message = Message {
    message: "The database has the write or a newer one; the dead letter is gone.",
};

async fn replay(engine: Data<WriteBehind>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let key = Key::from(&*path::segment(&request, 1)?);
    match engine.replay_dead_letter(&key).await {
        Ok(true) => Ok(json(HttpResponse::Ok(), &REPLAYED)),
        Ok(false) => Err(no_such_letter()),
        Err(Error::Refused { .. }) => Err(Problem::new(
            Kind::StillRefused,
            "it is refused still; it stays among the dead letters, which say why",
        )),
        Err(error) => Err(Problem::of_write(&error)),
    }
}

async fn delete(engine: Data<WriteBehind>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let key = Key::from(&*path::segment(&request, 0)?);
    let deleted = engine.delete_dead_letter(&key).await;
    if deleted.map_err(|error| Problem::of_write(&error))? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(no_such_letter())
    }
}

fn no_such_letter() -> Problem {
    Problem::new(Kind::NotFound, "there is no dead letter of this name")
}
