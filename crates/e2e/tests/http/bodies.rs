//! Bodies that are not JSON, or are JSON but no object: each one is refused and changes nothing.

use testkit::http::user_path;

use crate::combination::{Turn, own_name};
use crate::problem::Kept;

checks!(bodies:
    a_body_that_is_not_json_is_400,
    a_body_that_is_not_utf_8_is_400,
    half_a_surrogate_pair_is_400,
    json_that_is_no_object_is_422,
    deeply_nested_json_is_refused_like_any_other,
);

/// The record that stays unchanged, and the three calls that take a body.
pub(crate) struct Refusals {
    pub(crate) kept: Kept,
}

impl Refusals {
    pub(crate) fn begin(turn: &Turn, topic: &str) -> Self {
        Refusals {
            kept: Kept::write(turn.shared(), own_name(topic)),
        }
    }

    fn expect(&self, method: &str, path: &str, body: &[u8], status: u16, fields: &[&str]) {
        let headers = [("Content-Type", "application/json")];
        let answer = self.kept.api().wire(method, path, &headers, Some(body));
        let start = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
        let what = format!("{method} {path} {start:?}");
        self.kept.expect_refused(&what, &answer, status, fields);
    }

    /// As a record, posted.
    pub(crate) fn post(&self, body: &[u8], status: u16, fields: &[&str]) {
        let path = self.kept.api().service.write_path();
        self.expect("POST", path, body, status, fields);
    }

    /// As a record, put under its name.
    pub(crate) fn put(&self, body: &[u8], status: u16, fields: &[&str]) {
        let path = user_path(&self.kept.name);
        self.expect("PUT", &path, body, status, fields);
    }

    /// As what names a record to be read.
    pub(crate) fn read(&self, body: &[u8], status: u16, fields: &[&str]) {
        let path = self.kept.api().service.read_path();
        self.expect("POST", path, body, status, fields);
    }

    /// By all three.
    fn all(&self, body: &[u8], status: u16) {
        self.post(body, status, &[]);
        self.put(body, status, &[]);
        self.read(body, status, &[]);
    }
}

pub(crate) fn a_body_that_is_not_json_is_400(turn: &Turn) {
    let refusals = Refusals::begin(turn, "not json");
    let name = &refusals.kept.name;
    let whole = format!(r#"{{"name":"{name}","age":30,"occupation":"Chef"}}"#);
    let mut bodies: Vec<String> = [
        "",
        " ",
        "\r\n\t ",
        "{",
        "}",
        "{]",
        "[",
        "\"",
        "{\"",
        "nul",
        "None",
        "undefined",
        "NaN",
        "-",
        "<user/>",
        "name=x&age=30&occupation=y",
        "{}{}",
        "{},",
        "{'name':'x'}",
        "{name:\"x\"}",
        "// x\n{}",
        "\u{feff}{}",
        "\u{0}",
        "\u{a0}{}",
    ]
    .map(str::to_owned)
    .into();
    // Cut off at every byte; the name and the other texts are of ASCII characters.
    bodies.extend((0..whole.len()).map(|length| whole[..length].to_owned()));
    for (right, wrong) in [
        ("}", ",}"),
        (",", ",,"),
        (":30", "30"),
        (":30", ":030"),
        (":30", ":+30"),
        (":30", ":0x1e"),
        (":30", ":.5"),
        (":30", ":5."),
        (":30", ":1e"),
        (":30", ":NaN"),
        (":30", ":Infinity"),
        (":30", ":TRUE"),
        ("Chef", "Ch\nef"),
        ("Chef", "Ch\u{0}ef"),
        ("Chef", "Ch\tef"),
        ("Chef", r"Ch\x65f"),
        ("Chef", r"Ch\u00g5f"),
        ("Chef", r"Ch\u65"),
        ("\"Chef\"", "'Chef'"),
        ("\"Chef\"", "Chef"),
    ] {
        assert!(whole.contains(right));
        bodies.push(whole.replace(right, wrong));
    }
    for behind in ["x", "{}", ",", "\u{0}", "]", " null", "\n}"] {
        bodies.push(format!("{whole}{behind}"));
    }
    for body in bodies {
        refusals.all(body.as_bytes(), 400);
    }
}

pub(crate) fn a_body_that_is_not_utf_8_is_400(turn: &Turn) {
    let refusals = Refusals::begin(turn, "not utf-8");
    let name = refusals.kept.name.as_bytes();
    for bytes in [
        &b"\xff"[..],
        b"\xfe\xff",
        b"\x80",
        b"\xe9",
        b"\xc3",
        b"\xc3\x28",
        b"\xe2\x82",
        b"\xf0\x9f\x98",
        // Overlong, halves of surrogate pairs, and beyond the last character.
        b"\xc0\x80",
        b"\xc1\xa1",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
    ] {
        for (before, behind) in [
            (
                &b"{\"name\":\""[..],
                &b"\",\"age\":30,\"occupation\":\"Chef\"}"[..],
            ),
            (b"{\"age\":30,\"occupation\":\"Chef\",\"name\":\"x", b"y\"}"),
            (b"{\"age\":30,\"occupation\":\"", b"\",\"name\":\"x\"}"),
            (b"{\"", b"\":1}"),
            (b"{\"name\":\"x\"", b"}"),
            (b"", b""),
        ] {
            refusals.all(&[before, bytes, behind].concat(), 400);
        }
        // In a text that begins like the name of the record that is there.
        refusals.read(&[b"{\"name\":\"", name, bytes, b"\"}"].concat(), 400, &[]);
    }
    let utf_16: Vec<u8> = "\u{feff}{}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    refusals.all(&utf_16, 400);
}

pub(crate) fn half_a_surrogate_pair_is_400(turn: &Turn) {
    let refusals = Refusals::begin(turn, "surrogates");
    let name = &refusals.kept.name;
    for half in [
        r"\ud800",
        r"\udbff",
        r"\udc00",
        r"\uDFFF",
        r"\ud83dx",
        r"\ud83d\n",
        r"\ud83d\ud83d",
        r"\ude00\ud83d",
        r"\ud83d\u0041",
    ] {
        let in_the_name = format!(r#"{{"name":"{name}{half}","age":30,"occupation":"Chef"}}"#);
        let elsewhere = [
            format!(r#"{{"name":"{name}","age":30,"occupation":"{half}"}}"#),
            format!(r#"{{"name":"{name}","age":30,"occupation":"Chef","{half}":1}}"#),
        ];
        for body in elsewhere.iter().chain([&in_the_name]) {
            refusals.post(body.as_bytes(), 400, &[]);
            refusals.put(body.as_bytes(), 400, &[]);
        }
        let body = format!(r#"{{"name":"{name}{half}"}}"#);
        refusals.read(body.as_bytes(), 400, &[]);
    }
}

pub(crate) fn json_that_is_no_object_is_422(turn: &Turn) {
    let refusals = Refusals::begin(turn, "no object");
    let name = &refusals.kept.name;
    let record = format!(r#"{{"name":"{name}","age":30,"occupation":"Chef"}}"#);
    let bodies = [
        "[]".to_owned(),
        "[[]]".to_owned(),
        format!(r#"["{name}",30,"Chef"]"#),
        format!(r#" ["{name}"] "#),
        format!("[{record}]"),
        format!("\"{name}\""),
        serde_json::to_string(&record).unwrap(),
        "\"\"".to_owned(),
        "30".to_owned(),
        "-1.5e3".to_owned(),
        "1e999".to_owned(),
        "true".to_owned(),
        "false".to_owned(),
        "null".to_owned(),
    ];
    for body in bodies {
        refusals.all(body.as_bytes(), 422);
    }
}

pub(crate) fn deeply_nested_json_is_refused_like_any_other(turn: &Turn) {
    let refusals = Refusals::begin(turn, "nested");
    let name = &refusals.kept.name;
    // As deep as fits into the largest body that is read, and far beyond.
    for (levels, fits) in [(200, true), (7_000, true), (100_000, false)] {
        let status = |status| if fits { status } else { 413 };
        let field = |field| if fits { vec![field] } else { vec![] };
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let levels = levels / open.len();
            let (open, close) = (open.repeat(levels), close.repeat(levels));
            let nested = format!("{open}1{close}");
            let bare = if nested.starts_with('[') {
                vec![]
            } else {
                field("a")
            };
            if bare.is_empty() {
                refusals.all(nested.as_bytes(), status(422));
            }
            refusals.all(open.as_bytes(), status(400));
            let body = format!(r#"{{"name":"{name}","age":{nested},"occupation":"Chef"}}"#);
            refusals.post(body.as_bytes(), status(422), &field("age"));
            refusals.put(body.as_bytes(), status(422), &field("age"));
            let body = format!(r#"{{"name":"{name}","age":1,"occupation":"Chef","x":{nested}}}"#);
            refusals.post(body.as_bytes(), status(422), &field("x"));
            let body = format!(r#"{{"name":{nested}}}"#);
            refusals.read(body.as_bytes(), status(422), &field("name"));
        }
    }
}
