//! Writers: each has names of its own, and writes them one after the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::{Response, user_path};
use testkit::service::Service;

use crate::endpoints::Caller;
use crate::ledger::{Fate, Ledger, Seen};

/// How long one waits after a write that was not acknowledged.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(5);

/// Of a writer's names, how many get half of its writes.
const HOT_NAMES: usize = 4;

/// The record by which a write is known again.
pub(crate) fn record(name: &str, number: u64) -> Value {
    json!({ "name": name, "age": age(number), "occupation": format!("number {number}") })
}

fn age(number: u64) -> u64 {
    number % 151
}

/// The write that a record is of, if it is whole.
pub(crate) fn number_of(name: &str, record: &Value) -> Option<u64> {
    let number = record["occupation"].as_str()?.strip_prefix("number ")?;
    let number = number.parse().ok()?;
    (*record == self::record(name, number)).then_some(number)
}

/// The version in an answer's entity tag.
pub(crate) fn version_of(answer: &Response) -> Option<u64> {
    answer.header("ETag")?.trim_matches('"').parse().ok()
}

/// One writer.
pub(crate) struct Writer {
    pub(crate) caller: Caller,
    pub(crate) choices: fastrand::Rng,
    /// Its names, by their places in the ledger.
    pub(crate) names: Vec<usize>,
    /// Whether what it gets no answer to may still take effect after its next write, as it may when that
    /// goes to another replica.
    pub(crate) may_come_late: bool,
    pub(crate) pause: Duration,
}

impl Writer {
    /// Writes until it is told to stop, or something is wrong.
    pub(crate) fn run(mut self, ledger: &Ledger, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) && !ledger.has_offences() {
            let choices = &mut self.choices;
            let among = match choices.bool() {
                true => self.names.len().min(HOT_NAMES),
                false => self.names.len(),
            };
            let name = self.names[choices.usize(..among)];
            match choices.u8(..10) {
                0..3 => self.delete(ledger, name),
                3..6 => self.put(ledger, name, "POST"),
                _ => self.put(ledger, name, "PUT"),
            }
            thread::sleep(self.pause);
        }
    }

    /// Puts each of its names once.
    pub(crate) fn put_each(&mut self, ledger: &Ledger) {
        for name in self.names.clone() {
            self.put(ledger, name, "PUT");
        }
    }

    fn put(&mut self, ledger: &Ledger, name: usize, method: &str) {
        let number = ledger.write_begins(name, false);
        let text = &ledger.names()[name];
        let body = record(text, number).to_string();
        let path = match method {
            "POST" => Service::WriteBehind.write_path().to_owned(),
            _ => user_path(text),
        };
        let headers = [("Content-Type", "application/json")];
        let client = self.caller.client();
        let answer = client.try_request(method, &path, &headers, Some(body.as_bytes()));
        let fate = self.fate(ledger, answer, 200);
        ledger.write_ended(name, number, fate);
        self.mind(fate);
    }

    fn delete(&mut self, ledger: &Ledger, name: usize) {
        let before = ledger.read_begins(name);
        let number = ledger.write_begins(name, true);
        let path = user_path(&ledger.names()[name]);
        let answer = self.caller.client().try_request("DELETE", &path, &[], None);
        let fate = match answer {
            Ok(answer) if answer.status == 404 => Fate::DidNothing,
            answer => self.fate(ledger, answer, 204),
        };
        ledger.write_ended(name, number, fate);
        if fate == Fate::DidNothing {
            ledger.read_ended(name, before, Seen::Nothing);
        }
        self.mind(fate);
    }

    fn fate(&self, ledger: &Ledger, answer: Result<Response, ureq::Error>, fine: u16) -> Fate {
        match answer {
            Ok(answer) if answer.status == fine => match version_of(&answer) {
                Some(version) => Fate::Acknowledged(version),
                None => {
                    ledger.offends("an acknowledgement without a version".to_owned());
                    Fate::Unanswered
                }
            },
            Ok(answer) if answer.status == 503 => Fate::Unanswered,
            Ok(answer) => {
                let text = String::from_utf8_lossy(&answer.body);
                ledger.offends(format!("a write was answered {}: {text}", answer.status));
                Fate::Unanswered
            }
            Err(ureq::Error::Timeout(_)) => Fate::MayComeLate,
            Err(_) if self.may_come_late => Fate::MayComeLate,
            Err(_) => Fate::Unanswered,
        }
    }

    fn mind(&mut self, fate: Fate) {
        if matches!(fate, Fate::Unanswered | Fate::MayComeLate) {
            self.caller.turn_to_the_next();
            thread::sleep(PAUSE_AFTER_FAILURE);
        }
    }
}
