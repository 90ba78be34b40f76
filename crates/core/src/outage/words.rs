//! What is wrong with a part, in words for clients: they name no server and no statement.

use std::borrow::Cow;

use crate::error::Error;

use super::calls::Calls;

/// What the parts' own words contain, and what it means.
const KNOWN: &[(&str, &str)] = &[
    (
        "NOREPLICAS",
        "it has fewer replicas than it wants, so it takes no writes",
    ),
    (
        "READONLY",
        "it is a replica of another server, which takes no writes",
    ),
    (
        "is a replica",
        "it is a replica of another server, which takes no writes",
    ),
    (
        "replicas in time",
        "the replicas that an answer waits for do not have the write in time",
    ),
    ("OOM", "it is out of memory"),
    ("out of memory", "it is out of memory"),
    (
        "NOPERM",
        "it does not permit a command that the service needs",
    ),
    ("MISCONF", "it cannot save its data, so it takes no writes"),
    ("LOADING", "it is loading its data"),
    ("read-only", "it is read-only"),
    ("read only", "it is read-only"),
    ("readonly", "it is read-only"),
    ("no answer in", "it does not answer in time"),
];

/// What clients are told of a failed call. It names no server and no statement.
pub(crate) fn for_clients(calls: Calls, error: &Error) -> Cow<'static, str> {
    if let Error::NotAdmitted(reason) = error {
        return reason.to_string().into();
    }
    let said = error.to_string();
    let known = KNOWN.iter().find(|(word, _)| said.contains(word));
    match (known, calls) {
        (Some((_, meaning)), _) => (*meaning).into(),
        (None, Calls::Reads) => "it does not answer".into(),
        (None, Calls::Writes) => "it takes no writes".into(),
    }
}
