//! A service that does nothing: what it answers looks like the real ones' answers, so that
//! driving it shows what the driver itself can do.

mod process;

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderName};
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer};

pub use process::{COMMAND, NoOpProcess, main};

const WRITTEN: &[u8] = b"{\"message\":\"Data write successful!\"}\n";
/// A record of about the usual size, byte for byte what a service answers.
const RECORD: &[u8] = br#"{"name":"cmp-0000","age":30,"occupation":"w00000-------------------------------------------------------------------------------------------"}"#;
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const DURABILITY: HeaderName = HeaderName::from_static("durability");

/// The last version that was given to a write.
#[derive(Debug, Default)]
struct Versions(AtomicU64);

impl Versions {
    fn next(&self) -> String {
        format!("\"{}\"", self.0.fetch_add(1, Relaxed) + 1)
    }
}

/// Serves until the process is told to stop: `POST` on both services' own paths, `GET` and
/// `DELETE` on `/users/{name}`.
///
/// # Errors
/// Where the listener cannot be used.
pub fn serve(listener: TcpListener) -> io::Result<()> {
    let versions = Data::new(Versions::default());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(versions.clone())
            .route("/write-through", web::post().to(write))
            .route("/write-behind", web::post().to(write))
            .route("/users/{name}", web::get().to(read))
            .route("/users/{name}", web::delete().to(delete))
    })
    .listen(listener)?
    .shutdown_timeout(0);
    actix_web::rt::System::new().block_on(server.run())
}

async fn write(versions: Data<Versions>, _body: Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((ETAG, versions.next()))
        .insert_header((DURABILITY, "database"))
        .body(Bytes::from_static(WRITTEN))
}

async fn read(versions: Data<Versions>) -> HttpResponse {
    let version = versions.0.load(Relaxed);
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((ETAG, format!("\"{version}\"")))
        .insert_header((CACHE_STATUS, "write-through; hit"))
        .body(Bytes::from_static(RECORD))
}

async fn delete(versions: Data<Versions>) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ETAG, versions.next()))
        .insert_header((DURABILITY, "database"))
        .finish()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use serde_json::json;
    use testkit::http::Client;

    use super::*;

    #[test]
    fn every_request_is_answered_as_a_service_would_answer_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
        thread::spawn(move || serve(listener).unwrap());
        for path in ["/write-through", "/write-behind"] {
            let written = client.post_json(path, &json!({"name": "a"}));
            assert_eq!(written.status, 200);
            assert_eq!(written.json(), json!({"message": "Data write successful!"}));
        }
        let read = client.get("/users/a");
        assert_eq!((read.status, read.header("etag")), (200, Some("\"2\"")));
        assert_eq!(read.header("cache-status"), Some("write-through; hit"));
        assert_eq!(read.json()["age"], 30);
        let deleted = client.delete("/users/a");
        assert_eq!(
            (deleted.status, deleted.header("etag")),
            (204, Some("\"3\""))
        );
    }
}
