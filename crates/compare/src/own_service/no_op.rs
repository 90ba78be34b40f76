//! A handler that does nothing: what it answers is as long as the services' answers, so that driving
//! it shows what the driver itself can do. It promises nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_TYPE, ETAG};
use actix_web::web::{self, Bytes, Data, ServiceConfig};

const WRITTEN: &[u8] = b"{\"message\":\"Data write successful!\"}\n";
/// A record of about the usual size, byte for byte what a service answers.
const RECORD: &[u8] = br#"{"name":"cmp-0000","age":30,"occupation":"w00000-------------------------------------------------------------------------------------------"}"#;

/// `POST` on both services' own paths, `GET` and `DELETE` on `/users/{name}`.
pub(super) fn routes() -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let versions = Data::new(AtomicU64::new(1));
    move |config| {
        config
            .app_data(versions.clone())
            .route("/write-through", web::post().to(write))
            .route("/write-behind", web::post().to(write))
            .route("/users/{name}", web::get().to(read))
            .route("/users/{name}", web::delete().to(delete));
    }
}

fn next(versions: &AtomicU64) -> (actix_web::http::header::HeaderName, String) {
    (ETAG, format!("\"{}\"", versions.fetch_add(1, Relaxed)))
}

async fn write(versions: Data<AtomicU64>, _body: Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header(next(&versions))
        .body(Bytes::from_static(WRITTEN))
}

async fn read(versions: Data<AtomicU64>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((ETAG, format!("\"{}\"", versions.load(Relaxed))))
        .body(Bytes::from_static(RECORD))
}

async fn delete(versions: Data<AtomicU64>) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header(next(&versions))
        .finish()
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, http::header};

    use super::*;

    #[actix_web::test]
    async fn a_handler_that_does_nothing_promises_no_durability() {
        let app = init_service(App::new().configure(routes())).await;
        for request in [
            TestRequest::post().uri("/write-through"),
            TestRequest::post().uri("/write-behind"),
            TestRequest::get().uri("/users/a"),
            TestRequest::delete().uri("/users/a"),
        ] {
            let answer = call_service(&app, request.to_request()).await;
            assert!(answer.status().is_success());
            assert!(answer.headers().contains_key(header::ETAG));
            assert!(!answer.headers().contains_key("durability"));
        }
    }
}
