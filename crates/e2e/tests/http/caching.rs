//! `Cache-Control` of answers: no cache on the way keeps any, and a client's own asks before it uses a record.

use testkit::http::{Response, user_path};

use crate::api::{record, version};
use crate::combination::{Turn, own_name};

checks!(caching:
    a_record_is_asked_for_again_each_time,
    nothing_else_is_kept,
);

fn control(answer: &Response) -> &str {
    let mut values = answer.headers.get_all("Cache-Control").into_iter();
    let value = values.next().expect("a Cache-Control").to_str().unwrap();
    assert!(values.next().is_none(), "more than one");
    value
}

pub(crate) fn a_record_is_asked_for_again_each_time(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("kept");
    let etag = format!("\"{}\"", api.must_write(&record(&name, 30, "Engineer")));
    let path = user_path(&name);
    for (method, headers, status) in [
        ("GET", &[][..], 200),
        ("HEAD", &[], 200),
        ("GET", &[("If-None-Match", etag.as_str())], 304),
    ] {
        let answer = api.wire(method, &path, headers, None);
        assert_eq!(answer.status, status);
        assert_eq!(control(&answer), "private, no-cache", "{method} {status}");
    }
    let read = api.read(&name);
    assert_eq!(format!("\"{}\"", version(&read)), etag);
    assert_eq!(control(&read), "no-store");
}

pub(crate) fn nothing_else_is_kept(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("kept");
    let path = user_path(&name);
    let write = turn.service().write_path();
    for answer in [api.write(&record(&name, 30, "x")), api.delete(&name)] {
        assert!(answer.status < 300);
        assert_eq!(control(&answer), "no-store");
    }
    let mut calls = vec![
        ("GET", path.as_str(), 404),
        ("PATCH", &path, 405),
        ("GET", "/users?limit=1", 200),
        ("GET", "/users?limit=0", 422),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/problems", 200),
        ("GET", "/nowhere", 404),
        ("GET", write, 405),
        ("POST", write, 415),
        ("DELETE", "/cache/users/x", 204),
    ];
    if turn.is_write_behind() {
        calls.extend([
            ("GET", "/journal", 200),
            ("GET", "/dead-letters", 200),
            ("POST", "/flush", 200),
        ]);
    }
    for (method, path, status) in calls {
        let answer = api.wire(method, path, &[], None);
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(control(&answer), "no-store", "{method} {path}");
    }
    let page = api.client().get("/dashboard");
    assert_eq!(control(&page), "private, no-cache");
    let refused = api.wire("DELETE", &path, &[("Origin", "http://evil.example")], None);
    assert_eq!((refused.status, control(&refused)), (403, "no-store"));
}
