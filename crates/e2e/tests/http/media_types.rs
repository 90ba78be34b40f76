//! `Content-Type`: JSON in UTF-8, said once.

use serde_json::json;
use testkit::http::user_path;

use crate::api::{record, shown};
use crate::combination::{Turn, own_name};
use crate::problem::Kept;

checks!(media_types:
    a_body_that_is_not_said_to_be_json_is_415,
    json_is_taken_however_its_type_is_written,
);

pub(crate) fn a_body_that_is_not_said_to_be_json_is_415(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("media type"));
    let api = kept.api();
    let body = record(&kept.name, 99, "Intruder").to_string();
    let name_only = json!({ "name": kept.name }).to_string();
    let json = ("Content-Type", "application/json");
    let types = [
        "",
        "json",
        "text/json",
        "text/plain",
        "text/plain; charset=utf-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/jsonp",
        "application/json5",
        "application/ld+json",
        "application/problem+json",
        "application/x-ndjson",
        "application/*",
        "*/*",
        "application /json",
        "application/json; charset=latin1",
        "application/json; charset=iso-8859-1",
        "application/json; charset=utf-16",
        "application/json; charset=",
        "application/json; charset=utf-8; charset=latin1",
        "application/json, application/json",
        "text/plain, application/json",
    ];
    let mut all: Vec<Vec<(&str, &str)>> = vec![
        vec![],
        vec![json, json],
        vec![json, ("Content-Type", "text/plain")],
        vec![("Content-Type", "text/plain"), json],
        vec![("Accept", "application/json")],
    ];
    all.extend(types.map(|value| vec![("Content-Type", value)]));
    for headers in all {
        let what = format!("{headers:?}");
        for (method, path, body) in [
            ("POST", api.service.write_path(), &body),
            ("PUT", &user_path(&kept.name), &body),
            ("POST", api.service.read_path(), &name_only),
        ] {
            let answer = api.wire(method, path, &headers, Some(body.as_bytes()));
            kept.expect_refused(&what, &answer, 415, &[]);
        }
    }
}

pub(crate) fn json_is_taken_however_its_type_is_written(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("media type");
    for (age, (field, value)) in [
        ("Content-Type", "application/json"),
        ("content-type", "application/json"),
        ("CONTENT-TYPE", "application/json"),
        ("Content-Type", "Application/JSON"),
        ("Content-Type", "application/json; charset=utf-8"),
        ("Content-Type", "application/json;charset=UTF-8"),
        ("Content-Type", "application/json; charset=\"utf-8\""),
        ("Content-Type", "application/json ; Charset=Utf-8"),
    ]
    .into_iter()
    .enumerate()
    {
        let written = record(&name, age as u8, value);
        let body = written.to_string();
        let path = turn.service().write_path();
        let answer = api.wire("POST", path, &[(field, value)], Some(body.as_bytes()));
        assert_eq!(answer.status, 200, "{field}: {value}: {}", shown(&answer));
        let body = json!({ "name": name }).to_string();
        let path = turn.service().read_path();
        let answer = api.wire("POST", path, &[(field, value)], Some(body.as_bytes()));
        assert_eq!(answer.json(), written);
    }
}
