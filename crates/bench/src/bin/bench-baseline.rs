//! What the services are compared with: handlers on the same server that only parse, or only answer.

use std::hint::black_box;
use std::io;
use std::net::TcpListener;

use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderName};
use actix_web::web::{self, Bytes, Payload};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use cache_http::body::read_json;
use cache_http::input::parse_user;
use cache_http::problem::Problem;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WRITTEN: &[u8] = b"{\"message\":\"Data write successful!\"}\n";

/// What `GET /users/{name}` answers, byte for byte but for the digits.
const USER: &[u8] = b"{\"name\":\"user-00000\",\"age\":30,\"occupation\":\"Engineer\"}\n";
const VERSION: &str = "\"1700000000000000\"";
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

async fn parse(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let body = read_json(&request, payload).await?;
    black_box(parse_user(&body, None)?);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .body(Bytes::from_static(WRITTEN)))
}

async fn answer() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((ETAG, VERSION))
        .insert_header((CACHE_STATUS, "write-behind; hit"))
        .body(Bytes::from_static(USER))
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening http://{}", listener.local_addr()?);
    HttpServer::new(|| {
        App::new()
            .route("/parse", web::post().to(parse))
            .route("/users/{name}", web::get().to(answer))
    })
    .listen(listener)?
    .run()
    .await
}
