//! `GET /problems` and `GET /problems/{name}`: what the `type` of an error means.

use std::fmt::Write as _;

use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse};

use crate::path;
use crate::problem::{Kind, Problem};
use crate::resource::{get, resource};

/// Adds both.
pub fn configure(config: &mut ServiceConfig) {
    resource(config, "/problems", "GET, HEAD", vec![get(list)]);
    resource(config, "/problems/{name}", "GET, HEAD", vec![get(show)]);
}

async fn list() -> HttpResponse {
    let mut all =
        "# Problems\n\nThe `type` of an error (RFC 9457) is one of these paths.\n".to_owned();
    for kind in Kind::ALL {
        all += "\n";
        all += &description(*kind);
    }
    text(all)
}

async fn show(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let name = path::segment(&request, 0)?;
    let kind = Kind::ALL.iter().find(|kind| kind.name() == name);
    match kind {
        Some(kind) => Ok(text(description(*kind))),
        None => Err(Problem::new(
            Kind::NoSuchRoute,
            "there is no such type of problem; GET /problems lists all",
        )),
    }
}

fn description(kind: Kind) -> String {
    let mut text = format!("## {}\n\n", kind.path());
    // Into memory: this cannot fail.
    let _ = write!(
        text,
        "{}: {}.\n\n{}\n\nWhat to do: {}\n",
        kind.status().as_u16(),
        kind.title(),
        kind.meaning(),
        kind.advice()
    );
    text
}

fn text(body: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(body)
}
