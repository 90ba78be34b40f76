//! Refusals: what each one looks like, and that it leaves everything as it was.

use std::collections::BTreeMap;
use std::thread;

use serde_json::Value;
use testkit::http::Response;

use crate::api::{Api, record, shown, version};

/// What no answer may show: a panic, a place in the source, a statement, a library, a server, a password.
const NEVER_SHOWN: &[&str] = &[
    "panicked",
    "backtrace",
    "src/",
    ".rs:",
    "SELECT",
    "INSERT",
    "diesel",
    "redis://",
    "mysql://",
    "root",
];

/// Expects RFC 9457's document with this status; returns the fields that it names. Its type must be
/// one of `docs/errors.md`.
#[track_caller]
pub(crate) fn expect_problem(answer: &Response, status: u16) -> Vec<String> {
    let shown = shown(answer);
    assert_eq!(answer.status, status, "{shown}");
    let content_type = answer.header("Content-Type");
    assert_eq!(content_type, Some("application/problem+json"), "{shown}");
    assert_nothing_leaks(answer.text());

    let document = answer.json();
    let text = |key: &str| match &document[key] {
        Value::String(text) if !text.is_empty() => text.clone(),
        other => panic!("{key} is {other}: {shown}"),
    };
    let documented = documented_types();
    let expected = documented.get(text("type").as_str()).copied();
    assert_eq!(expected, Some(status), "not in docs/errors.md: {shown}");
    assert!(!text("title").is_empty(), "{shown}");
    assert_eq!(document["status"], status, "{shown}");
    let detail = text("detail");

    let no_errors = Vec::new();
    let errors = match &document["errors"] {
        Value::Null => &no_errors,
        errors => errors.as_array().expect("a list of errors"),
    };
    let mut fields = Vec::new();
    for error in errors {
        let field = error["field"].as_str().expect("the field's name");
        let reason = error["detail"].as_str().expect("what is wrong with it");
        assert!(!reason.is_empty(), "{shown}");
        assert!(detail.contains(field), "{shown}");
        fields.push(field.to_owned());
    }
    assert!(fields.is_empty() || status == 422, "{shown}");
    fields
}

/// The types that `docs/errors.md` lists, with their statuses.
pub(crate) fn documented_types() -> BTreeMap<&'static str, u16> {
    let document = include_str!("../../../../docs/errors.md");
    let rows = document.lines().filter(|line| line.starts_with("| `/"));
    rows.map(|row| {
        let mut cells = row.split('`').skip(1).step_by(2);
        let (path, status) = (cells.next().unwrap(), cells.next().unwrap());
        (path, status.parse().unwrap())
    })
    .collect()
}

/// The last segment of the `type`, of an answer that is a problem.
#[track_caller]
pub(crate) fn problem_type(answer: &Response) -> String {
    expect_problem(answer, answer.status);
    let document = answer.json();
    let path = document["type"].as_str().unwrap();
    path.strip_prefix("/problems/").unwrap().to_owned()
}

#[track_caller]
pub(crate) fn assert_nothing_leaks(text: &str) {
    for never in NEVER_SHOWN {
        assert!(!text.contains(never), "shows {never:?}: {text}");
    }
}

/// A record that is there, and must be there unchanged after every refusal. At the end, the service must
/// still be healthy.
#[derive(Debug)]
pub(crate) struct Kept {
    api: Api,
    pub(crate) name: String,
    record: Value,
    version: u64,
}

impl Kept {
    /// Writes the record.
    #[track_caller]
    pub(crate) fn write(api: Api, name: String) -> Self {
        let record = record(&name, 41, "Keeper");
        let version = api.must_write(&record);
        Kept {
            api,
            name,
            record,
            version,
        }
    }

    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    #[track_caller]
    pub(crate) fn assert_unchanged(&self) {
        let answer = self.api.get(&self.name);
        assert_eq!(answer.status, 200, "{}", shown(&answer));
        assert_eq!(answer.json(), self.record);
        assert_eq!(version(&answer), self.version);
    }

    /// Expects that the answer refuses, names exactly these fields, and that nothing has changed.
    #[track_caller]
    pub(crate) fn expect_refused(
        &self,
        what: &str,
        answer: &Response,
        status: u16,
        fields: &[&str],
    ) {
        assert_eq!(answer.status, status, "{what}: {}", shown(answer));
        let mut named = expect_problem(answer, status);
        named.sort_unstable();
        assert_eq!(named, fields, "{what}: {}", shown(answer));
        self.assert_unchanged();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.api.assert_healthy();
        }
    }
}
