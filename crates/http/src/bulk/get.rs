//! `POST /users/get`: many users by their names.

use std::io::Write as _;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use cache_core::engine::Read;
use cache_core::error::Error;
use cache_core::model::record::Key;

use crate::body;
use crate::cache_control::wants_reload;
use crate::cache_status::cache_status;
use crate::input::parse_names;
use crate::json::{JSON, written};
use crate::problem::Problem;
use crate::retry_after::seconds_of;
use crate::state::State;
use crate::user_json;

/// Answers what each read by itself would be answered.
///
/// # Errors
/// `4xx` for what is no list of names; `503` while too many large answers are under way.
pub(crate) async fn get_many(
    state: Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (body, place) = body::read_long_json(&request, payload, &state.streams).await?;
    let names = parse_names(&body)?;
    drop((body, place));
    let room = state.answers.room_for_page(names.len() as u32).await?;
    let keys: Vec<Key> = names.into_iter().map(Key::from).collect();
    let reads = match wants_reload(&request) {
        true => state.engine.reload_many(&keys).await,
        false => state.engine.read_many(&keys).await,
    };
    let mut text = br#"{"users":["#.to_vec();
    for (place, (key, read)) in keys.iter().zip(reads).enumerate() {
        if place > 0 {
            text.push(b',');
        }
        push(&state, key, read, &mut text);
    }
    text.extend_from_slice(b"]}\n");
    let mut response = HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, JSON))
        .body(text);
    response.extensions_mut().insert(room);
    Ok(response)
}

/// Writes what became of one read.
fn push(state: &State, key: &Key, read: Result<Read, Error>, text: &mut Vec<u8>) {
    let name = written(&key.as_str());
    text.extend_from_slice(br#"{"name":"#);
    text.extend_from_slice(name.trim_ascii_end());
    let read = read.map_err(|error| Problem::of_read(&error));
    if let Ok(read) = &read {
        let status = cache_status(state.service, read);
        // Into memory: this cannot fail.
        let _ = write!(text, r#","cache_status":"{status}""#);
    }
    let problem = match read {
        Ok(Read { record, .. }) => match record.body {
            Some(body) => {
                let version = record.version;
                let before = text.len();
                let _ = write!(text, r#","status":200,"version":{version},"user":"#);
                match user_json::add_user(key, &body, text) {
                    Ok(()) => return text.push(b'}'),
                    Err(error) => {
                        text.truncate(before);
                        Problem::of_read(&error)
                    }
                }
            }
            None => Problem::no_such_user(),
        },
        Err(problem) => problem,
    };
    text.push(b',');
    text.append(&mut problem.members(seconds_of(&state.outages)));
    text.push(b'}');
}
