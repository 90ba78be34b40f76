//! The routes on users that both services have.

mod calls;

use std::fmt::Write as _;
use std::future::Future;

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, VARY};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use bytes::Bytes;
use cache_core::model::record::{Key, Write};
use cache_core::model::version::Version;
use cache_core::store::Page;
use futures_util::TryFutureExt as _;

use cache_core::error::Error;

use crate::accept::prefers;
use crate::body;
use crate::bulk;
use crate::cache_control::wants_reload;
use crate::cache_status::cache_status;
use crate::connection::Clock;
use crate::durability::RequestedDurability;
use crate::header_value;
use crate::input::{parse_name, parse_user};
use crate::json::JSON;
use crate::path;
use crate::precondition::{Preconditions, ReadVerdict};
use crate::problem::Problem;
use crate::query::Query;
use crate::resource::{Right, Routes, get, on, resource};
use crate::state::State;
use crate::traced;
use crate::user_json;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const DURABILITY: HeaderName = HeaderName::from_static("durability");
const WRITTEN: &[u8] = b"{\"message\":\"Data write successful!\"}\n";
/// 16 digits in quotes.
const ETAG_BYTES: usize = 18;
const PAGE_MAX: u32 = 1000;
const PAGE_DEFAULT: u32 = 100;

/// Adds the routes under `/users`.
pub fn configure(routes: &mut Routes) {
    resource(
        routes,
        "/users",
        "GET, HEAD",
        vec![get(Right::Read, list, calls::list)],
    );
    // Before the users by name, of which one may be called so.
    let named = || {
        vec![
            get(Right::Read, get_user, calls::get),
            on(Method::PUT, Right::Write, put_user, calls::put),
            on(Method::DELETE, Right::Write, delete_user, calls::delete),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
    };
    let methods = "GET, HEAD, POST, PUT, DELETE";
    let mut batch = named();
    batch.extend(on(
        Method::POST,
        Right::Write,
        bulk::batch,
        bulk::calls::batch,
    ));
    resource(routes, "/users/batch", methods, vec![batch]);
    let mut get_many = named();
    get_many.extend(on(
        Method::POST,
        Right::Read,
        bulk::get_many,
        bulk::calls::get_many,
    ));
    resource(routes, "/users/get", methods, vec![get_many]);
    resource(
        routes,
        "/users/{name}",
        "GET, HEAD, PUT, DELETE",
        vec![named()],
    );
}

/// Adds the service's own pair of calls: `POST` of a record, and of a name to read it.
pub fn configure_own(routes: &mut Routes, write_path: &'static str, read_path: &'static str) {
    resource(
        routes,
        write_path,
        "POST",
        vec![on(Method::POST, Right::Write, write, calls::write)],
    );
    resource(
        routes,
        read_path,
        "POST",
        vec![on(Method::POST, Right::Read, read, calls::read)],
    );
}

/// `POST` of a record: writes it.
///
/// # Errors
/// As the engine's write; `4xx` for what is no record; `412` when a precondition
/// does not hold.
async fn write(
    state: Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let body = body::read_json(&request, payload).await?;
    let wanted = RequestedDurability::of(&request)?;
    let write = put(&body, None)?.traced(traced::context(&request));
    // It is part of the connection's buffer, which can be used again then.
    drop(body);
    write_user(&state, wanted, Preconditions::of(&request)?, write).await
}

/// `POST` of `{"name": …}`: reads the record of that name. It has no
/// preconditions.
///
/// # Errors
/// As the engine's read; `404` if there is none; `4xx` for what is no name.
async fn read(
    state: Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let body = body::read_json(&request, payload).await?;
    let key = Key::from(parse_name(&body)?);
    drop(body);
    read_user(&state, &request, Preconditions::default(), key).await
}

async fn get_user(state: Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let name = path::name(&request)?;
    let preconditions = Preconditions::of(&request)?;
    read_user(&state, &request, preconditions, Key::from(&*name)).await
}

async fn put_user(
    state: Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let body = body::read_json(&request, payload).await?;
    let name = path::name(&request)?;
    let wanted = RequestedDurability::of(&request)?;
    let write = put(&body, Some(&name))?.traced(traced::context(&request));
    drop(body);
    write_user(&state, wanted, Preconditions::of(&request)?, write).await
}

async fn delete_user(state: Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let write = Write::delete(Key::from(&*path::name(&request)?));
    let write = write.traced(traced::context(&request));
    let wanted = RequestedDurability::of(&request)?;
    let (version, durability) = Preconditions::of(&request)?
        .write(&*state.engine, wanted, write)
        .await?;
    Ok(HttpResponse::NoContent()
        .insert_header((ETAG, etag(version)))
        .insert_header((DURABILITY, HeaderValue::from_static(durability.as_str())))
        .finish())
}

/// The write of the user in a request's body.
fn put(body: &[u8], path_name: Option<&str>) -> Result<Write, Problem> {
    let user = parse_user(body, path_name)?;
    Ok(Write::put(Key::from(&*user.name), user.to_body()))
}

/// Not `async`, which would keep the write twice in the future of the request.
fn write_user(
    state: &State,
    wanted: RequestedDurability,
    preconditions: Preconditions,
    write: Write,
) -> impl Future<Output = Result<HttpResponse, Problem>> {
    let written = preconditions.write(&*state.engine, wanted, write);
    written.map_ok(|(version, durability)| {
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, JSON))
            .insert_header((ETAG, etag(version)))
            .insert_header((DURABILITY, HeaderValue::from_static(durability.as_str())))
            .body(Bytes::from_static(WRITTEN))
    })
}

async fn read_user(
    state: &State,
    request: &HttpRequest,
    preconditions: Preconditions,
    key: Key,
) -> Result<HttpResponse, Problem> {
    let read = match wants_reload(request) {
        true => state.engine.reload(&key).await,
        false => state.engine.read(&key).await,
    };
    let read = read.map_err(|error| Problem::of_read(&error))?;
    let status = cache_status(state.service, &read);
    let version = read.record.version;
    let mut response = match read.record.body {
        // A read of a user that does not exist is answered so whatever its preconditions (RFC 9110,
        // section 13.2.1).
        None => Problem::no_such_user().error_response(),
        Some(body) => match preconditions.of_read(version) {
            ReadVerdict::Holds => HttpResponse::Ok()
                .insert_header((CONTENT_TYPE, JSON))
                .insert_header((ETAG, etag(version)))
                .body(
                    user_json::user(&read.record.key, &body)
                        .map_err(|error| Problem::of_read(&error))?,
                ),
            ReadVerdict::NotModified => HttpResponse::NotModified()
                .insert_header((ETAG, etag(version)))
                .finish(),
            ReadVerdict::Failed => Problem::precondition_failed().error_response(),
        },
    };
    let status = HeaderValue::from_static(status);
    response.headers_mut().insert(CACHE_STATUS, status);
    Ok(response)
}

async fn list(state: Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut query = Query::parse(request.query_string())?;
    let after = query.position("after").map(Key::from);
    if prefers(request.headers(), "application/x-ndjson") {
        query.finish()?;
        let clock = Clock::of(&request);
        return bulk::export(&state, clock, request.method() == Method::HEAD, after).await;
    }
    let limit = query.number("limit", 1..=PAGE_MAX, PAGE_DEFAULT);
    query.finish()?;
    let room = state.answers.room_for_page(limit).await?;
    let page = state
        .engine
        .page(after.as_ref(), limit)
        .await
        .map_err(|error| Problem::of_read(&error))?;
    let mut response = HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, JSON))
        .insert_header((VARY, HeaderValue::from_static("Accept")))
        .body(listing(&page).map_err(|error| Problem::of_read(&error))?);
    response.extensions_mut().insert(room);
    Ok(response)
}

/// `{"users": […], "next": …}`; `next` is the position to go on after, null at the end.
fn listing(page: &Page) -> Result<Vec<u8>, Error> {
    let mut text = br#"{"users":["#.to_vec();
    let live = page.records.iter();
    let live = live.filter_map(|record| Some((&record.key, record.body.as_deref()?)));
    for (place, (key, body)) in live.enumerate() {
        if place > 0 {
            text.push(b',');
        }
        user_json::add_user(key, body, &mut text)?;
    }
    let next = page.next.as_ref().map(Key::as_str);
    // An optional text into memory: this cannot fail.
    let next = serde_json::to_vec(&next).unwrap_or_default();
    text.extend_from_slice(br#"],"next":"#);
    text.extend_from_slice(&next);
    text.extend_from_slice(b"}\n");
    Ok(text)
}

/// The version as a strong entity tag.
fn etag(version: Version) -> HeaderValue {
    header_value::made(ETAG_BYTES, |text| {
        // Into memory: this cannot fail.
        let _ = write!(text, "\"{version}\"");
    })
}
