//! What an answer, or none, says about an operation.

use std::io::ErrorKind;

use linearizability::{Action, Condition, Outcome, Seen, Value, Version};
use serde_json::{Value as Json, json};
use testkit::http::Response;

/// What a `503` says in which the write has certainly not taken place.
const NOTHING_WRITTEN: &str = "nothing was written";

/// The record that a put of a value writes.
pub(crate) fn record(name: &str, value: Value) -> Json {
    json!({ "name": name, "age": value % 151, "occupation": format!("number {value}") })
}

fn value_of(name: &str, answer: &Response) -> Option<Value> {
    let found = answer.json();
    let value = found["occupation"].as_str()?.strip_prefix("number ")?;
    let value = value.parse().ok()?;
    (found == record(name, value)).then_some(value)
}

fn version_of(answer: &Response) -> Option<Version> {
    answer.header("ETag")?.trim_matches('"').parse().ok()
}

/// What became of the operation.
///
/// # Errors
///
/// With what is wrong, when the answer is one that should never come.
pub(crate) fn outcome(
    name: &str,
    action: Action,
    answer: Result<Response, ureq::Error>,
) -> Result<Outcome, String> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if action == Action::Read || was_never_sent(&error) => {
            return Ok(Outcome::Failed);
        }
        Err(_) => return Ok(Outcome::Unknown),
    };
    let wrong = |why: &str| {
        let text = String::from_utf8_lossy(&answer.body);
        Err(format!(
            "{name}: {action:?} was answered {}, {why}: {text}",
            answer.status
        ))
    };
    let versioned = || version_of(&answer).ok_or(());
    match (action, answer.status) {
        (Action::Read, 200) => match (value_of(name, &answer), versioned()) {
            (Some(value), Ok(version)) => Ok(Outcome::Saw(Some(Seen {
                value,
                version: Some(version),
            }))),
            _ => wrong("which no client wrote"),
        },
        (Action::Read, 404) => Ok(Outcome::Saw(None)),
        (Action::Read, 503) => Ok(Outcome::Failed),
        (Action::Put(..), 200) | (Action::Delete(_), 204) => match versioned() {
            Ok(version) => Ok(Outcome::Done(Some(version))),
            Err(()) => wrong("without a version"),
        },
        (Action::Delete(Condition::Always), 404) => Ok(Outcome::NotMet),
        (_, 412) if action != Action::Read => Ok(Outcome::NotMet),
        (_, 503) if answer.text().contains(NOTHING_WRITTEN) => Ok(Outcome::Failed),
        (_, 503) => Ok(Outcome::Unknown),
        _ => wrong("which is no answer to it"),
    }
}

/// Whether there was no connection over which the request could have gone.
fn was_never_sent(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => error.kind() == ErrorKind::ConnectionRefused,
        _ => false,
    }
}
