//! Dead letters: what the database refused, for an operator to look at, try
//! again or give up.

use actix_web::http::Method;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use cache_core::dead_letter::{DeadLetter, LetterQuery};
use cache_core::error::Error;
use cache_core::record::Key;
use cache_core::user::User;
use cache_core::write_behind::WriteBehind;
use cache_http::json::json;
use cache_http::path;
use cache_http::problem::{Kind, Problem};
use cache_http::query::Query;
use cache_http::resource::{get, on, resource};
use cache_http::state::State;
use serde::Serialize;
use serde_json::Value;

use crate::replay;

const LIMIT_MAX: u32 = 1000;
const LIMIT_DEFAULT: u32 = 100;

/// Adds the routes under `/dead-letters`.
pub(crate) fn configure(config: &mut ServiceConfig) {
    resource(config, "/dead-letters", "GET, HEAD", vec![get(list)]);
    // Before the letters by name, of which one may be called so.
    resource(
        config,
        "/dead-letters/replay",
        "POST, DELETE",
        vec![
            on(Method::POST, replay::replay_all),
            on(Method::DELETE, delete),
        ],
    );
    resource(
        config,
        "/dead-letters/{name}",
        "DELETE",
        vec![on(Method::DELETE, delete)],
    );
    resource(
        config,
        "/dead-letters/{name}/replay",
        "POST",
        vec![on(Method::POST, replay)],
    );
}

#[derive(Serialize)]
struct Letters {
    dead_letters: Vec<Letter>,
    /// The position to go on after; `null` at the end.
    next: Option<String>,
}

#[derive(Serialize)]
struct Letter {
    name: String,
    version: u64,
    written_at: String,
    set_aside_at: String,
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

/// What the query says about letters: `name_prefix` and `reason`.
pub(crate) fn filter(query: &mut Query) -> LetterQuery {
    LetterQuery {
        name_prefix: query.text("name_prefix"),
        reason: query.text("reason"),
        ..LetterQuery::default()
    }
}

#[derive(Serialize)]
struct Replayed {
    message: &'static str,
}

async fn replay(engine: Data<WriteBehind>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let key = Key::from(&*path::segment(&request, 1)?);
    match engine.replay_dead_letter(&key).await {
        Ok(true) => {
            let message = "The write is in the database.";
            Ok(json(HttpResponse::Ok(), &Replayed { message }))
        }
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
