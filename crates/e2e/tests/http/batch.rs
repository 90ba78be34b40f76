//! `POST /users/batch`: a line for each line, and what is wrong with lines.

use serde_json::{Value, json};
use testkit::http::user_path;
use testkit::wire::{self, Connection};

use crate::api::{record, shown, version};
use crate::combination::{Turn, own_name};
use crate::metrics::metrics_of;
use crate::problem::{Kept, assert_nothing_leaks, documented_types, expect_problem};
use crate::streams::{Batch, CHUNKED, NDJSON, batch, delete, lines, post, put, statuses};

checks!(batch:
    each_line_is_answered_as_its_call,
    lines_of_one_name_keep_their_order,
    many_lines_are_answered_in_their_order,
    bad_lines_have_answers_of_their_own,
    a_line_that_is_too_long_ends_nothing,
    a_body_ends_a_line,
    a_body_that_is_cut_off_writes_no_half_line,
    lines_are_answered_while_the_body_is_open,
    a_durability_is_for_all_lines,
    a_wrong_head_is_refused,
    every_framing_of_a_body_is_read,
    users_may_be_called_as_the_calls,
    lines_are_counted,
);

pub(crate) fn each_line_is_answered_as_its_call(turn: &Turn) {
    let api = turn.shared();
    let [first, second, third] = [(); 3].map(|()| own_name("batch"));
    let deleted = api.must_write(&record(&second, 1, "Engineer"));
    let body = [
        put(&first, 30),
        delete(&second),
        delete(&third),
        put(&third, 31),
    ]
    .concat();
    let answer = post(&api, "", body.as_bytes());
    let expected = match turn.is_write_behind() {
        true => "journaled",
        false => "persisted",
    };
    assert_eq!(answer.header("Durability"), Some(expected));
    let answers = lines(&answer);
    assert_eq!(statuses(&answers), [200, 204, 404, 200]);
    let versions: Vec<u64> = [0, 1, 3]
        .map(|place: usize| answers[place]["version"].as_u64().unwrap())
        .into();
    assert!(versions[1] > deleted);
    assert_eq!(answers[2]["type"], "/problems/not-found");
    assert!(answers[2].get("version").is_none());
    for (name, age, written) in [(&first, 30, versions[0]), (&third, 31, versions[2])] {
        let read = api.get(name);
        assert_eq!(read.json(), record(name, age, "Engineer"));
        assert_eq!(version(&read), written);
    }
    expect_problem(&api.get(&second), 404);
    api.settle();
    expect_problem(&api.get(&second), 404);
    assert_eq!(lines(&post(&api, "", b"")), Vec::<Value>::new());
}

pub(crate) fn lines_of_one_name_keep_their_order(turn: &Turn) {
    let api = turn.shared();
    let [changed, deleted] = [(); 2].map(|()| own_name("order"));
    // Deletes of names that the cache does not know read the database first.
    let mut body = delete(&changed);
    for round in 0..100 {
        body += &put(&changed, round % 150);
        body += &put(&changed, (round + 1) % 150);
        if round % 7 == 0 {
            body += &delete(&changed);
            body += &put(&changed, round + 2);
        }
        body += &put(&deleted, round);
        body += &delete(&deleted);
    }
    let answers = batch(&api, "", body);
    let statuses = statuses(&answers);
    assert_eq!(statuses[0], 404);
    assert!(
        statuses[1..]
            .iter()
            .all(|status| [200, 204].contains(status)),
        "{statuses:?}"
    );
    let versions = |is_delete: bool| {
        let written = answers
            .iter()
            .filter(move |line| is_delete == (line["status"] == 204));
        written
            .filter_map(|line| line["version"].as_u64())
            .collect::<Vec<_>>()
    };
    for versions in [versions(false), versions(true)] {
        assert!(versions.len() > 100);
    }
    for _ in 0..2 {
        let read = api.get(&changed);
        assert_eq!(read.json(), record(&changed, 100, "Engineer"));
        expect_problem(&api.get(&deleted), 404);
        api.settle();
    }
}

pub(crate) fn many_lines_are_answered_in_their_order(turn: &Turn) {
    let api = turn.shared();
    let own = own_name("many");
    let name = |number: u64| format!("{own} {}", number % 2_500);
    let body: String = (0..6_000)
        .map(|number| put(&name(number), number % 150))
        .collect();
    let answers = batch(&api, "", body);
    assert_eq!(answers.len(), 6_000);
    assert!(statuses(&answers).iter().all(|status| *status == 200));
    for number in [3_500, 4_000, 5_000, 5_999] {
        let answer = api.get(&name(number));
        let line = &answers[number as usize];
        assert_eq!(line["version"].as_u64(), Some(version(&answer)), "{number}");
        assert_eq!(answer.json()["age"], number % 150);
    }
}

/// Lines that are refused, with the status and the fields that are named.
const BAD_LINES: &[(&[u8], u64, &[&str])] = &[
    (b"nonsense", 400, &[]),
    (b"{", 400, &[]),
    (b"{} {}", 400, &[]),
    (br#"{"name":"a","age":1,"occupation":"b"}}"#, 400, &[]),
    (b"\xff\xfe", 400, &[]),
    (
        b"{\"name\":\"\xc3\x28\",\"age\":1,\"occupation\":\"b\"}",
        400,
        &[],
    ),
    (br#"{"delete":"\ud800"}"#, 400, &[]),
    (b"[]", 422, &[]),
    (b"null", 422, &[]),
    (b"\"name\"", 422, &[]),
    (b"{}", 422, &["age", "name", "occupation"]),
    (br#"{"age":1,"occupation":"b"}"#, 422, &["name"]),
    (
        br#"{"name":"a","age":151,"occupation":""}"#,
        422,
        &["age", "occupation"],
    ),
    (
        br#"{"name":"a","name":"b","age":1,"occupation":"b"}"#,
        422,
        &["name"],
    ),
    (
        br#"{"name":"a","age":1,"occupation":"b","id":1}"#,
        422,
        &["id"],
    ),
    (br#"{"delete":1}"#, 422, &["delete"]),
    (br#"{"delete":""}"#, 422, &["delete"]),
    (br#"{"delete":" a"}"#, 422, &["delete"]),
    (br#"{"delete":"a","age":1}"#, 422, &["age"]),
    (br#"{"delete":"a","delete":"a"}"#, 422, &["delete"]),
    (
        br#"{"Delete":"a"}"#,
        422,
        &["Delete", "age", "name", "occupation"],
    ),
];

pub(crate) fn bad_lines_have_answers_of_their_own(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("bad"));
    let api = kept.api();
    let good = own_name("good");
    let bad = BAD_LINES;
    let mut body = Vec::new();
    for (number, (line, ..)) in (0..).zip(bad) {
        body.extend_from_slice(put(&good, number).as_bytes());
        body.extend_from_slice(line);
        // Both ends of a line.
        body.extend_from_slice(if number % 2 == 0 { b"\n" } else { b"\r\n" });
    }
    let answers = batch(api, "", body);
    let found = statuses(&answers);
    let expected = bad.iter().flat_map(|(_, status, _)| [200, *status]);
    assert_eq!(found, expected.collect::<Vec<_>>());
    let documented = documented_types();
    for (answer, (line, status, fields)) in answers.iter().skip(1).step_by(2).zip(bad) {
        let what = String::from_utf8_lossy(line);
        let document = answer.to_string();
        assert_nothing_leaks(&document);
        let kind = answer["type"].as_str().unwrap();
        assert_eq!(
            documented.get(kind).copied(),
            Some(*status as u16),
            "{what}: {document}"
        );
        let errors = answer["errors"].as_array().cloned().unwrap_or_default();
        let mut named: Vec<&str> = errors
            .iter()
            .map(|error| error["field"].as_str().unwrap())
            .collect();
        named.sort_unstable();
        assert_eq!(named, *fields, "{what}: {document}");
        if *status == 400 {
            assert_eq!(
                answer["position"]["line"], answer["line"],
                "{what}: {document}"
            );
            let place = format!("at line {} column ", answer["line"]);
            assert!(
                answer["detail"].as_str().unwrap().contains(&place),
                "{document}"
            );
        }
    }
    assert_eq!(api.must_get(&good)["age"], bad.len() - 1);
    kept.assert_unchanged();
    // Empty lines have no answer, and count.
    let body = ["\n \n", &put(&good, 7), "\r\n", "x\n", "\t"].concat();
    let answers = batch(api, "", body);
    let numbers: Vec<_> = answers
        .iter()
        .map(|answer| answer["line"].as_u64())
        .collect();
    assert_eq!(numbers, [Some(3), Some(5)]);
}

pub(crate) fn a_line_that_is_too_long_ends_nothing(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("long"));
    let api = kept.api();
    let good = own_name("good");
    let occupation = "x".repeat(10_000_000);
    let long = json!({ "name": kept.name, "age": 1, "occupation": occupation });
    let spaces = " ".repeat(100_000);
    let body = [
        put(&good, 1),
        format!("{long}\n"),
        put(&good, 2),
        format!("{spaces}\n"),
        put(&good, 3),
    ]
    .concat();
    let answers = batch(api, "", body);
    assert_eq!(statuses(&answers), [200, 413, 200, 413, 200]);
    assert_eq!(answers[1]["type"], "/problems/body-too-large");
    assert_eq!(api.must_get(&good)["age"], 3);
    kept.assert_unchanged();
}

pub(crate) fn a_body_ends_a_line(turn: &Turn) {
    let api = turn.shared();
    let [whole, half] = [(); 2].map(|()| own_name("last"));
    let body = put(&whole, 1);
    let answers = batch(&api, "", body.trim_end());
    assert_eq!(statuses(&answers), [200]);
    let line = put(&half, 1);
    let body = [put(&whole, 2), line[..line.len() / 2].to_owned()].concat();
    let answers = batch(&api, "", body);
    assert_eq!(statuses(&answers), [200, 400]);
    assert_eq!(api.must_get(&whole)["age"], 2);
    expect_problem(&api.get(&half), 404);
}

pub(crate) fn a_body_that_is_cut_off_writes_no_half_line(turn: &Turn) {
    let api = turn.shared();
    let [whole, half] = [(); 2].map(|()| own_name("cut off"));
    // What has come of the last line is a whole user.
    let body = [put(&whole, 1), put(&half, 1).trim_end().to_owned()].concat();
    let length = (body.len() + 1).to_string();
    let by_length = [NDJSON, ("Content-Length", length.as_str())];
    let in_chunks = wire::chunked(body.as_bytes(), 1000);
    let unfinished = in_chunks.strip_suffix(b"0\r\n\r\n").unwrap();
    for (headers, body) in [
        (by_length, body.as_bytes()),
        ([NDJSON, CHUNKED], unfinished),
    ] {
        let head = wire::request("POST", b"/users/batch", &headers, None);
        let mut connection = Connection::open(&api.base_url);
        connection.write(&[head.as_slice(), body].concat()).unwrap();
        connection.finish_writing();
        let answers = lines(&connection.read_answer(false).unwrap());
        assert_eq!(statuses(&answers), [200, 400], "{answers:?}");
        assert_eq!(answers[1]["type"], "/problems/malformed-request");
    }
    assert_eq!(api.must_get(&whole)["age"], 1);
    expect_problem(&api.get(&half), 404);
}

pub(crate) fn lines_are_answered_while_the_body_is_open(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("open");
    let mut stream = Batch::open(&api, "");
    for age in 0..20 {
        let line = put(&name, age);
        let (begin, end) = line.split_at(10);
        stream.send(begin);
        stream.send(end);
        let answer = stream.next();
        assert_eq!(answer["line"], age + 1);
        assert_eq!(answer["status"], 200);
        let read = api.get(&name);
        assert_eq!(answer["version"].as_u64(), Some(version(&read)));
    }
    stream.finish();
    assert_eq!(stream.rest(), Vec::<Value>::new());
}

pub(crate) fn a_durability_is_for_all_lines(turn: &Turn) {
    let api = turn.shared();
    let own = own_name("durable");
    let name = |number| format!("{own} {number:04}");
    let deleted = own_name("durable");
    api.must_write(&record(&deleted, 1, "Engineer"));
    let body: String = (0..1_500).map(|number| put(&name(number), 1)).collect();
    let answer = post(
        &api,
        "?durability=persisted&timeout_s=60",
        format!("{body}{}", delete(&deleted)).as_bytes(),
    );
    assert_eq!(answer.header("Durability"), Some("persisted"));
    let statuses = statuses(&lines(&answer));
    assert!(statuses[..1_500].iter().all(|status| *status == 200));
    assert_eq!(statuses[1_500..], [204]);
    // As the database has it.
    let after = own.clone() + " ";
    let path = format!("/users?limit=1000&after={}", crate::api::encoded(&after));
    let page = api.client().get(&path).json();
    let users = page["users"].as_array().unwrap();
    assert_eq!(users.len(), 1000);
    for (number, user) in users.iter().enumerate() {
        assert_eq!(user["name"], name(number));
    }
    for query in ["?durability=high", "?durable=yes", "?timeout_s=x"] {
        expect_problem(&post(&api, query, body.as_bytes()), 422);
    }
}

pub(crate) fn a_wrong_head_is_refused(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("head"));
    let api = kept.api();
    let body = put(&kept.name, 99);
    let json = ("Content-Type", "application/json");
    let ndjson = "application/x-ndjson";
    for (status, headers) in [
        (415, vec![]),
        (415, vec![json]),
        (415, vec![NDJSON, json]),
        (
            415,
            vec![("Content-Type", "application/x-ndjson; charset=latin1")],
        ),
        (400, vec![NDJSON, ("If-Match", "*")]),
        (400, vec![NDJSON, ("If-None-Match", "*")]),
        (403, vec![NDJSON, ("Origin", "http://evil.example")]),
    ] {
        let what = format!("{headers:?}");
        let answer = api.wire("POST", "/users/batch", &headers, Some(body.as_bytes()));
        kept.expect_refused(&what, &answer, status, &[]);
    }
    for value in [
        ndjson,
        "Application/X-NDJSON",
        "application/x-ndjson; charset=utf-8",
    ] {
        let headers = [("Content-Type", value)];
        let answer = api.wire("POST", "/users/batch", &headers, Some(&b"x"[..]));
        assert_eq!(statuses(&lines(&answer)), [400]);
    }
}

pub(crate) fn every_framing_of_a_body_is_read(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("framing");
    let body: String = (0..150).map(|age| put(&name, age)).collect();
    let body = body.as_bytes();
    let expected = vec![200; 150];
    for bytes in [1, 7, 1000, 100_000] {
        let chunked = wire::chunked(body, bytes);
        let answer = api.wire("POST", "/users/batch", &[NDJSON, CHUNKED], Some(&chunked));
        assert_eq!(statuses(&lines(&answer)), expected, "{bytes}");
    }
    let length = body.len().to_string();
    let expect = ("Expect", "100-continue");
    let chunked = wire::chunked(body, 1000);
    for (framing, sent) in [
        (("Content-Length", length.as_str()), body),
        (CHUNKED, &chunked),
    ] {
        let head = wire::request("POST", b"/users/batch", &[NDJSON, expect, framing], None);
        let mut connection = Connection::open(&api.base_url);
        connection.write(&head).unwrap();
        assert_eq!(connection.read_head().unwrap().0, 100);
        connection.write(sent).unwrap();
        let answer = connection.read_answer(false).unwrap();
        assert_eq!(statuses(&lines(&answer)), expected);
        // The connection is used again.
        let next = wire::request("GET", b"/healthz", &[], None);
        assert_eq!(connection.exchange(&next).unwrap().status, 200);
    }
}

pub(crate) fn users_may_be_called_as_the_calls(turn: &Turn) {
    let api = turn.shared();
    for name in ["batch", "get"] {
        let answer = api.put(name, &json!({ "age": 1, "occupation": "Engineer" }));
        assert_eq!(answer.status, 200, "{}", shown(&answer));
        assert_eq!(api.must_get(name), record(name, 1, "Engineer"));
        let options = api.client().request("OPTIONS", &user_path(name), &[], None);
        let allowed = options.header("Allow");
        assert_eq!(allowed, Some("GET, HEAD, POST, PUT, DELETE, OPTIONS"));
        assert_eq!(api.delete(name).status, 204);
        expect_problem(&api.get(name), 404);
    }
}

pub(crate) fn lines_are_counted(turn: &Turn) {
    let running = turn.start();
    let api = crate::api::Api::of(&running);
    let counted = |kind, status| {
        let labels = [("kind", kind), ("status", status)];
        metrics_of(&api).sum("write_cache_batch_lines_total", &labels)
    };
    assert_eq!(counted("put", "200"), 0.0);
    let body = [
        put("a", 1),
        put("b", 1),
        "x\n".to_owned(),
        delete("a"),
        delete("z"),
    ]
    .concat();
    assert_eq!(statuses(&batch(&api, "", body)), [200, 200, 400, 204, 404]);
    let found = [
        ("put", "200"),
        ("none", "400"),
        ("delete", "204"),
        ("delete", "404"),
    ]
    .map(|(kind, status)| counted(kind, status));
    assert_eq!(found, [2.0, 1.0, 1.0, 1.0]);
}
