use super::*;
use actix_web::ResponseError;

fn document(problem: &Problem) -> serde_json::Value {
    let response = problem.error_response();
    let body = actix_web::body::to_bytes(response.into_body());
    let body = futures_util::FutureExt::now_or_never(body)
        .unwrap()
        .unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn refused(body: &[u8]) -> (u16, Vec<(String, String)>) {
    let problem = parse_user(body, None).expect_err(&String::from_utf8_lossy(body));
    let document = document(&problem);
    let errors = document
        .get("errors")
        .and_then(|errors| errors.as_array())
        .cloned()
        .unwrap_or_default();
    let text =
        |error: &serde_json::Value, key: &str| error.get(key).unwrap().as_str().unwrap().to_owned();
    let errors = errors
        .iter()
        .map(|error| (text(error, "field"), text(error, "detail")))
        .collect();
    (problem.status_code().as_u16(), errors)
}

fn fields(body: &str) -> Vec<String> {
    let (status, errors) = refused(body.as_bytes());
    assert_eq!(status, 422, "{body}");
    errors.into_iter().map(|(field, _)| field).collect()
}

fn with_age(age: &str) -> String {
    format!(r#"{{"name":"a","age":{age},"occupation":"b"}}"#)
}

#[test]
fn a_whole_number_from_0_to_150_is_the_only_age() {
    for age in ["0", "150", " 7 "] {
        assert!(parse_user(with_age(age).as_bytes(), None).is_ok(), "{age}");
    }
    for age in [
        "-1",
        "-0",
        "151",
        "256",
        "30.5",
        "30.0",
        "1e3",
        "1e999",
        "9223372036854775808",
        "\"30\"",
        "null",
        "true",
        "[30]",
        "{}",
        &"9".repeat(99),
    ] {
        assert_eq!(fields(&with_age(age)), ["age"], "{age}");
    }
}

#[test]
fn every_wrong_field_is_named_at_once() {
    assert_eq!(fields("{}"), ["name", "age", "occupation"]);
    assert_eq!(
        fields(r#"{"name":"","age":-1,"occupation":7,"extra":1}"#),
        ["name", "age", "occupation", "extra"]
    );
    assert_eq!(
        fields(r#"{"name":"a","age":1,"age":1,"occupation":"b"}"#),
        ["age"]
    );
    assert_eq!(
        fields(r#"{"name":"a","age":1,"occupation":"b","Name":"a"}"#),
        ["Name"]
    );
    assert_eq!(
        fields(r#"{"name":null,"age":1,"occupation":"b"}"#),
        ["name"]
    );
}

#[test]
fn what_is_not_json_is_400_and_what_is_no_object_422() {
    for body in [
        &b""[..],
        b"  ",
        b"{",
        br#"{"name":"a""#,
        b"{}x",
        b"\xff",
        br#"{"name":"\xff","age":1,"occupation":"b"}"#,
        b"{\"name\":\"a\xc3\x28\",\"age\":1,\"occupation\":\"b\"}",
        br#"{"name":"\ud800","age":1,"occupation":"b"}"#,
        br#"{"name":"a","age":01,"occupation":"b"}"#,
        b"{'name':1}",
        b"\xef\xbb\xbf{}",
    ] {
        assert_eq!(refused(body).0, 400, "{}", String::from_utf8_lossy(body));
    }
    for body in [&b"[]"[..], br#"["a",1,"b"]"#, b"1", b"null", br#""text""#] {
        assert_eq!(refused(body).0, 422, "{}", String::from_utf8_lossy(body));
    }
    let deep = format!(
        r#"{{"name":{}1{},"age":1,"occupation":"b"}}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    assert_eq!(fields(&deep), ["name"]);
}

#[test]
fn escapes_are_read_and_a_name_in_the_path_may_be_left_out_or_repeated() {
    let user = parse_user(
        br#" {"occupation":"\u00e9\ud83d\ude00", "age":1, "name":"a\/b"} "#,
        None,
    )
    .unwrap();
    assert_eq!((&*user.name, &*user.occupation), ("a/b", "é😀"));
    let without = br#"{"age":1,"occupation":"b"}"#;
    assert_eq!(parse_user(without, Some("x")).unwrap().name, "x");
    let with = br#"{"name":"x","age":1,"occupation":"b"}"#;
    assert_eq!(parse_user(with, Some("x")).unwrap().name, "x");
    assert!(parse_user(with, Some("y")).is_err());
    assert!(parse_user(br#"{"name":null,"age":1,"occupation":"b"}"#, Some("x")).is_err());
}

#[test]
fn a_name_by_itself_is_read_by_the_same_rules() {
    assert_eq!(parse_name(br#"{"name":"a"}"#).unwrap(), "a");
    for body in [
        &b"{}"[..],
        br#"{"name":1}"#,
        br#"{"name":" a"}"#,
        br#"{"name":"a","age":1}"#,
        br#"["a"]"#,
    ] {
        assert_eq!(parse_name(body).unwrap_err().status_code(), 422);
    }
    assert_eq!(parse_name(b"{").unwrap_err().status_code(), 400);
}

#[test]
fn an_answer_repeats_little_of_an_unknown_field() {
    let long = "x".repeat(10_000);
    let body = format!(r#"{{"name":"a","age":1,"occupation":"b","{long}":1}}"#);
    assert_eq!(fields(&body), ["x".repeat(64)]);
}

#[test]
fn what_is_not_json_has_a_place_and_a_reason() {
    for (body, reason, line, column) in [
        ("{", "EOF while parsing an object", 1, 1),
        ("\n  {'a':1}", "key must be a string", 2, 4),
        ("{\"a\":1 \"b\":2}", "expected `,` or `}`", 1, 8),
        ("{\"a\":1}\n\nx", "trailing characters", 3, 1),
        (
            "{\"name\":\n \"\\ud800\"}",
            "half of a surrogate pair",
            2,
            9,
        ),
        (
            "\n{\"x\":1,\n\"\\ud800\":1}",
            "half of a surrogate pair",
            3,
            8,
        ),
    ] {
        let document = document(&parse_user(body.as_bytes(), None).unwrap_err());
        let detail = document["detail"].as_str().unwrap();
        assert!(detail.contains(reason), "{detail}");
        assert!(
            detail.ends_with(&format!("at line {line} column {column}")),
            "{detail}"
        );
        let position = serde_json::json!({ "line": line, "column": column });
        assert_eq!(document["position"], position, "{body}");
    }
    let not_utf_8 = document(&parse_user(b"{\n\"a\xff", None).unwrap_err());
    assert_eq!(
        not_utf_8["position"],
        serde_json::json!({ "line": 2, "column": 3 })
    );
}

#[test]
fn a_reason_says_what_was_expected_and_what_was_found() {
    for (body, expected) in [
        (
            r#"{"age":"1","occupation":null}"#,
            [
                "is missing; must be a text of 1 to 255 characters",
                "must be a whole number from 0 to 150, not a text",
                "must be a text of 1 to 255 characters, not null",
            ],
        ),
        (
            r#"{"name":" \n","age":3e1,"occupation":{}}"#,
            [
                "must not contain control characters; must not begin or end with white space",
                "must be a whole number from 0 to 150, written in digits alone",
                "must be a text of 1 to 255 characters, not an object",
            ],
        ),
        (
            r#"{"name":[],"age":151,"age":200,"Occupation":"x","occupation":""}"#,
            [
                "is there more than once; must be a whole number from 0 to 150",
                "must be a text of 1 to 255 characters, not an array",
                "must have 1 to 255 characters",
            ],
        ),
    ] {
        let (_, errors) = refused(body.as_bytes());
        let details: Vec<&str> = errors.iter().map(|(_, detail)| detail.as_str()).collect();
        assert_eq!(details[..3], expected, "{body}");
        for (_, detail) in &errors[3..] {
            assert_eq!(detail, "is unknown; there is name, age and occupation");
        }
    }
    let array = document(&parse_user(b"[]", None).unwrap_err());
    assert_eq!(
        array["detail"],
        "the body must be a JSON object, not an array"
    );
}
