//! `/metrics`: all figures in the Prometheus text format.

use std::io::Write as _;

use actix_web::http::header::{
    AcceptEncoding, CONTENT_ENCODING, Encoding, Header as _, HeaderValue, VARY,
};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::description::{Answer, Call, Header, PAGE, RequestHeader, Tag};
use crate::problem::{Kind, Problem};
use crate::resource::{Right, Routes, get, resource};
use crate::state::State;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Adds it.
pub fn configure(routes: &mut Routes) {
    resource(
        routes,
        "/metrics",
        "GET, HEAD",
        vec![get(Right::Read, metrics, metrics_call)],
    );
}

fn metrics_call() -> Call {
    let answer = Answer::ok("All figures, in the Prometheus text format.")
        .text("text/plain", Some("write_cache_up{part=\"cache\"} 1\n"))
        .header(Header::Vary);
    Call::new(Tag::State, "readMetrics", "Figures for Prometheus")
        .heeds(RequestHeader::AcceptEncoding)
        .answers(answer)
        .refuses(PAGE)
        .refuses(&[Kind::Internal])
}

async fn metrics(state: Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    state.observe().await;
    let is_compressed = takes_gzip(&request);
    // It takes milliseconds, for which no other request of the thread is to wait.
    let rendered = tokio::task::spawn_blocking(move || {
        let text = state.metrics.render_with_process();
        match is_compressed {
            true => compressed(&text),
            false => text.into_bytes(),
        }
    });
    let body = rendered.await;
    let body =
        body.map_err(|_| Problem::new(Kind::Internal, "the metrics could not be rendered"))?;
    let mut response = HttpResponse::Ok();
    response
        .content_type(TEXT)
        .insert_header((VARY, HeaderValue::from_static("Accept-Encoding")));
    if is_compressed {
        response.insert_header((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    }
    Ok(response.body(body))
}

fn takes_gzip(request: &HttpRequest) -> bool {
    let offered = [Encoding::gzip(), Encoding::identity()];
    AcceptEncoding::parse(request)
        .is_ok_and(|accepted| accepted.negotiate(offered.iter()) == Some(Encoding::gzip()))
}

fn compressed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Into memory: this cannot fail.
    let _ = encoder.write_all(text.as_bytes());
    encoder.finish().unwrap_or_default()
}
