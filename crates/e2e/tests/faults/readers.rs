//! Readers: each reads any name from any replica, and has the ledger judge what comes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use testkit::http::{Client, Response, user_path};
use testkit::service::Service;

use crate::endpoints::Caller;
use crate::ledger::{Ledger, Seen};
use crate::writers::{number_of, version_of};

/// What an answer to a read says; `None` when it is no answer, or a 503.
pub(crate) fn seen(ledger: &Ledger, name: &str, answer: &Response) -> Option<Seen> {
    let record = match answer.status {
        404 => return Some(Seen::Nothing),
        503 => return None,
        200 => answer.json(),
        status => {
            let text = String::from_utf8_lossy(&answer.body);
            ledger.offends(format!("a read was answered {status}: {text}"));
            return None;
        }
    };
    match (number_of(name, &record), version_of(answer)) {
        (Some(number), Some(version)) => Some(Seen::Value { number, version }),
        _ => {
            ledger.offends(format!("{name}: no client wrote {record}"));
            None
        }
    }
}

/// Reads a name in one of the two ways, and has it judged; whether there was an answer.
pub(crate) fn read(ledger: &Ledger, client: &Client, name: usize, by_path: bool) -> bool {
    let text = &ledger.names()[name];
    let before = ledger.read_begins(name);
    let answer = match by_path {
        true => client.try_request("GET", &user_path(text), &[], None),
        false => {
            let body = json!({ "name": text }).to_string();
            let headers = [("Content-Type", "application/json")];
            let path = Service::WriteBehind.read_path();
            client.try_request("POST", path, &headers, Some(body.as_bytes()))
        }
    };
    let seen = answer.ok().and_then(|answer| seen(ledger, text, &answer));
    if let Some(seen) = seen {
        ledger.read_ended(name, before, seen);
    }
    seen.is_some()
}

/// Reads until it is told to stop, or something is wrong.
pub(crate) fn run(
    ledger: &Ledger,
    mut caller: Caller,
    mut choices: fastrand::Rng,
    pause: Duration,
    stop: &AtomicBool,
) {
    while !stop.load(Ordering::Relaxed) && !ledger.has_offences() {
        let name = choices.usize(..ledger.names().len());
        if choices.u8(..20) == 0 || !read(ledger, caller.client(), name, choices.bool()) {
            caller.turn_to_the_next();
        }
        thread::sleep(pause);
    }
}
