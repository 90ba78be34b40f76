//! Fields that are wrong, missing, unknown or there twice: each one is named, and nothing is written.

use serde_json::json;
use testkit::records::CHARACTERS_MAX;

use crate::bodies::Refusals;
use crate::combination::Turn;

checks!(fields:
    an_age_that_is_no_whole_number_from_0_to_150_is_named,
    a_text_of_another_type_is_named,
    a_text_that_is_too_long_or_empty_is_named,
    a_missing_field_is_named,
    an_unknown_field_is_named,
    a_field_that_is_there_twice_is_named,
    all_the_wrong_fields_are_named_at_once,
    every_reason_says_what_was_expected,
    a_name_to_read_is_checked_by_the_same_rules,
    an_answer_repeats_little_of_a_long_unknown_field,
);

impl Refusals {
    /// A record that names exactly `fields`, posted and put.
    fn record(&self, body: &str, fields: &[&str]) {
        self.post(body.as_bytes(), 422, fields);
        self.put(body.as_bytes(), 422, fields);
    }
}

pub(crate) fn an_age_that_is_no_whole_number_from_0_to_150_is_named(turn: &Turn) {
    let refusals = Refusals::begin(turn, "age");
    let name = &refusals.kept.name;
    for age in [
        "\"30\"",
        "\"\"",
        "30.5",
        "30.0",
        "1e1",
        "1e3",
        "1E+2",
        "1e-1",
        "-1",
        "-0.5",
        "-150",
        "151",
        "255",
        "256",
        "286",
        "65566",
        "2147483678",
        "4294967326",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "18446744073709551646",
        "340282366920938463463374607431768211486",
        "1e999",
        "-1e999",
        "true",
        "false",
        "null",
        "[30]",
        "[]",
        "{}",
        "{\"age\":30}",
    ] {
        let body = format!(r#"{{"name":"{name}","age":{age},"occupation":"Chef"}}"#);
        refusals.record(&body, &["age"]);
    }
    let many_digits = "3".repeat(9000);
    let body = format!(r#"{{"name":"{name}","age":{many_digits},"occupation":"Chef"}}"#);
    refusals.record(&body, &["age"]);
}

pub(crate) fn a_text_of_another_type_is_named(turn: &Turn) {
    let refusals = Refusals::begin(turn, "type");
    let name = &refusals.kept.name;
    for wrong in [
        "1",
        "-1.5",
        "1e999",
        "true",
        "null",
        "[]",
        "[\"a\"]",
        "{}",
        "{\"name\":\"a\"}",
    ] {
        let body = format!(r#"{{"name":"{name}","age":30,"occupation":{wrong}}}"#);
        refusals.record(&body, &["occupation"]);
        let body = format!(r#"{{"name":{wrong},"age":30,"occupation":"Chef"}}"#);
        refusals.record(&body, &["name"]);
    }
}

pub(crate) fn a_text_that_is_too_long_or_empty_is_named(turn: &Turn) {
    let refusals = Refusals::begin(turn, "length");
    let name = &refusals.kept.name;
    for wrong in [
        String::new(),
        "x".repeat(CHARACTERS_MAX + 1),
        "é".repeat(CHARACTERS_MAX + 1),
        "😀".repeat(CHARACTERS_MAX + 1),
        "e\u{301}".repeat(CHARACTERS_MAX / 2 + 1),
        " ".repeat(CHARACTERS_MAX + 1),
        "x".repeat(10_000),
    ] {
        let body = json!({ "name": name, "age": 30, "occupation": wrong });
        refusals.record(&body.to_string(), &["occupation"]);
        let body = json!({ "name": wrong, "age": 30, "occupation": "Chef" });
        refusals.record(&body.to_string(), &["name"]);
    }
}

pub(crate) fn a_missing_field_is_named(turn: &Turn) {
    let refusals = Refusals::begin(turn, "missing");
    let name = json!(refusals.kept.name).to_string();
    for (with_age, with_occupation) in [(true, false), (false, true), (false, false)] {
        let mut body = format!(r#"{{"name":{name}"#);
        let mut missing = Vec::new();
        match with_age {
            true => body += r#","age":30"#,
            false => missing.push("age"),
        }
        match with_occupation {
            true => body += r#","occupation":"Chef""#,
            false => missing.push("occupation"),
        }
        body += "}";
        refusals.record(&body, &missing);
    }
    let without_a_name = br#"{"age":30,"occupation":"Chef"}"#;
    refusals.post(without_a_name, 422, &["name"]);
    refusals.post(b"{}", 422, &["age", "name", "occupation"]);
    // The path has the name.
    refusals.put(b"{}", 422, &["age", "occupation"]);
}

pub(crate) fn an_unknown_field_is_named(turn: &Turn) {
    let refusals = Refusals::begin(turn, "unknown");
    let name = &refusals.kept.name;
    for unknown in [
        "id",
        "version",
        "deleted_at",
        "Name",
        "AGE",
        " name",
        "name ",
        "nаme",
        "",
        "é",
        "__proto__",
        "name\u{0}",
    ] {
        for value in ["1", "null", "\"x\"", "[{}]", r#""\ud83d""#] {
            let unknown_as_json = json!(unknown).to_string();
            let body = format!(
                r#"{{"name":"{name}","age":30,{unknown_as_json}:{value},"occupation":"Chef"}}"#
            );
            refusals.record(&body, &[unknown]);
        }
    }
    let body = format!(r#"{{"name":"{name}","age":30,"occupation":"Chef","a":1,"b":2,"a":3}}"#);
    let twice = refusals.kept.api().wire(
        "POST",
        refusals.kept.api().service.write_path(),
        &[("Content-Type", "application/json")],
        Some(body.as_bytes()),
    );
    // The one that is there twice may be named for either reason, or for both.
    assert_eq!(twice.status, 422);
    let named = crate::problem::expect_problem(&twice, 422);
    assert!(named.contains(&"a".to_owned()) && named.contains(&"b".to_owned()));
}

pub(crate) fn a_field_that_is_there_twice_is_named(turn: &Turn) {
    let refusals = Refusals::begin(turn, "twice");
    let name = &refusals.kept.name;
    for (body, field) in [
        (
            format!(r#"{{"name":"{name}","name":"{name}","age":30,"occupation":"Chef"}}"#),
            "name",
        ),
        (
            format!(r#"{{"name":"other","age":30,"occupation":"Chef","name":"{name}"}}"#),
            "name",
        ),
        (
            format!(r#"{{"name":"{name}","age":30,"age":31,"occupation":"Chef"}}"#),
            "age",
        ),
        (
            format!(r#"{{"age":30,"name":"{name}","occupation":"Chef","age":30}}"#),
            "age",
        ),
        (
            format!(r#"{{"name":"{name}","age":30,"occupation":"Chef","occupation":"Chef"}}"#),
            "occupation",
        ),
        (
            // The same name, written otherwise.
            format!(r#"{{"name":"{name}","age":30,"occupation":"Chef","\u0061ge":30}}"#),
            "age",
        ),
    ] {
        refusals.post(body.as_bytes(), 422, &[field]);
    }
    let body = br#"{"age":30,"occupation":"a","occupation":"b","age":30}"#;
    refusals.put(body, 422, &["age", "occupation"]);
}

pub(crate) fn all_the_wrong_fields_are_named_at_once(turn: &Turn) {
    let refusals = Refusals::begin(turn, "all");
    for body in [
        r#"{"name":"","age":-1,"occupation":""}"#,
        r#"{"name":1,"age":"1","occupation":1}"#,
        r#"{"name":" a","age":151,"occupation":null}"#,
        r#"{"name":null,"age":null,"occupation":null}"#,
        r#"{"occupation":[],"age":[],"name":[]}"#,
    ] {
        refusals.record(body, &["age", "name", "occupation"]);
    }
    let body = r#"{"name":"a\u0000","Age":30,"occupation":7,"extra":1}"#;
    refusals.record(body, &["Age", "age", "extra", "name", "occupation"]);
}

pub(crate) fn every_reason_says_what_was_expected(turn: &Turn) {
    let api = turn.shared();
    let path = turn.service().write_path();
    let json = [("Content-Type", "application/json")];
    let post = |body: &str| api.wire("POST", path, &json, Some(body.as_bytes())).json();
    let answer = post(r#"{"name":" a\t","age":1.5,"job":"x"}"#);
    let expected = json!([
        { "field": "name", "detail": "must not contain control characters; must not begin or end with white space" },
        { "field": "age", "detail": "must be a whole number from 0 to 150, written in digits alone" },
        { "field": "occupation", "detail": "is missing; must be a text of 1 to 255 characters" },
        { "field": "job", "detail": "is unknown; there is name, age and occupation" },
    ]);
    assert_eq!(answer["errors"], expected);
    let answer = post("{\"name\":\"a\",\n \"age\" 30}");
    assert_eq!(answer["position"], json!({ "line": 2, "column": 8 }));
    let detail = "the body is not valid JSON: expected `:` at line 2 column 8";
    assert_eq!(answer["detail"], detail);
    let answer = api.client().get("/users?limt=1&limit=1&limit=2").json();
    let expected = json!([
        { "field": "limt", "detail": "is unknown; there is after and limit" },
        { "field": "limit", "detail": "is there more than once" },
    ]);
    assert_eq!(answer["errors"], expected);
}

pub(crate) fn a_name_to_read_is_checked_by_the_same_rules(turn: &Turn) {
    let refusals = Refusals::begin(turn, "read");
    let name = &refusals.kept.name;
    for (body, fields) in [
        ("{}".to_owned(), ["name"].as_slice()),
        (r#"{"name":1}"#.to_owned(), &["name"]),
        (r#"{"name":null}"#.to_owned(), &["name"]),
        (format!(r#"{{"name":["{name}"]}}"#), &["name"]),
        (format!(r#"{{"Name":"{name}"}}"#), &["Name", "name"]),
        (format!(r#"{{"name":"{name}","age":30}}"#), &["age"]),
        (
            format!(r#"{{"name":"{name}","age":30,"occupation":"Chef"}}"#),
            &["age", "occupation"],
        ),
        (format!(r#"{{"name":"{name}","name":"{name}"}}"#), &["name"]),
        (format!(r#"{{"name":"{name} ","x":1}}"#), &["name", "x"]),
    ] {
        refusals.read(body.as_bytes(), 422, fields);
    }
}

pub(crate) fn an_answer_repeats_little_of_a_long_unknown_field(turn: &Turn) {
    const ANSWER_BYTES_MAX: usize = 2000;
    let refusals = Refusals::begin(turn, "long");
    let api = refusals.kept.api();
    let name = &refusals.kept.name;
    let long = "y".repeat(12_000);
    let bodies = [
        format!(r#"{{"name":"{name}","age":30,"occupation":"Chef","{long}":1}}"#),
        format!(r#"{{"name":"{name}","age":30,"occupation":"{long}"}}"#),
        format!(
            r#"{{"name":"{name}","age":{},"occupation":"Chef"}}"#,
            "7".repeat(12_000)
        ),
        format!(r#"{{"name":"{name}","age":30,"occupation":"Chef",{long}"#),
    ];
    for body in bodies {
        let headers = [("Content-Type", "application/json")];
        let path = api.service.write_path();
        let answer = api.wire("POST", path, &headers, Some(body.as_bytes()));
        assert!(matches!(answer.status, 400 | 422));
        assert!(answer.body.len() < ANSWER_BYTES_MAX);
        refusals.kept.assert_unchanged();
    }
}
