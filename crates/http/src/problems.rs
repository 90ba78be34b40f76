//! `GET /problems` and `GET /problems/{name}`: what the `type` of an error means.

use std::fmt::Write as _;

use actix_web::{HttpRequest, HttpResponse};

use crate::description::{Answer, Call, Tag, choice, in_path};
use crate::path;
use crate::problem::{Kind, Problem};
use crate::resource::{Right, Routes, get, resource};

/// Adds both.
pub fn configure(routes: &mut Routes) {
    resource(
        routes,
        "/problems",
        "GET, HEAD",
        vec![get(Right::Anyone, list, list_call)],
    );
    resource(
        routes,
        "/problems/{name}",
        "GET, HEAD",
        vec![get(Right::Anyone, show, show_call)],
    );
}

const MEDIA_TYPE: &str = "text/plain";

fn list_call() -> Call {
    Call::new(Tag::About, "listProblems", "All types of errors")
        .answers(Answer::ok("What each type means.").text(MEDIA_TYPE, None))
}

fn show_call() -> Call {
    let names = choice(Kind::ALL.iter().map(|kind| kind.name()));
    let example = description(Kind::Validation);
    Call::new(Tag::About, "describeProblem", "One type of error")
        .text("Its path is the `type` of an error.")
        .takes(in_path("name", "The last segment of the `type`.", names))
        .answers(Answer::ok("What the type means.").text(MEDIA_TYPE, Some(&example)))
        .refuses(&[Kind::MalformedRequest, Kind::NoSuchRoute])
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
