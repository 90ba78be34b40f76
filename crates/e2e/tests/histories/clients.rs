//! Clients: each asks one thing after the other, of any name and any replica, on connections of its own.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use linearizability::{Action, Condition, Operation, Outcome, Version};
use testkit::http::{Client, Response, user_path};

use crate::answers::{outcome, record};
use crate::load::Shared;

/// How long a request may take. The outcome of a write that takes longer is unknown.
const WAIT_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Between two requests of one client, so that the machine is left to others too.
const PAUSE: Duration = Duration::from_micros(500);

/// How long one waits after a request that was not answered.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(10);

/// Of what kinds the operations are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    /// Of a hundred operations, how many read.
    pub(crate) reads: u8,
    /// Of a hundred, how many delete; the others put.
    pub(crate) deletes: u8,
    /// Whether a third of the puts has a condition, `If-Match` or `If-None-Match: *`.
    pub(crate) conditional: bool,
}

impl Mix {
    /// What all tests take.
    pub(crate) const USUAL: Mix = Mix {
        reads: 50,
        deletes: 18,
        conditional: true,
    };
}

/// One client.
pub(crate) struct ClientAtWork<'a> {
    number: usize,
    shared: &'a Shared,
    choices: fastrand::Rng,
    // By replica: where it listened when it was last asked.
    connections: HashMap<usize, (String, Client)>,
    // By name: the newest version that this client has seen.
    versions: HashMap<usize, Version>,
}

impl<'a> ClientAtWork<'a> {
    pub(crate) fn new(number: usize, shared: &'a Shared, choices: fastrand::Rng) -> Self {
        ClientAtWork {
            number,
            shared,
            choices,
            connections: HashMap::new(),
            versions: HashMap::new(),
        }
    }

    /// Works until it is told to stop, or something is wrong.
    pub(crate) fn run(mut self, mix: Mix) {
        while self.shared.goes_on() {
            let name = self.shared.next_name(&mut self.choices);
            let replica = self.choices.usize(..self.shared.addresses.count());
            let action = self.choose(mix, name);
            match self.perform(replica, name, action) {
                Outcome::Failed | Outcome::Unknown => thread::sleep(PAUSE_AFTER_FAILURE),
                _ => thread::sleep(PAUSE),
            }
        }
    }

    fn choose(&mut self, mix: Mix, name: usize) -> Action {
        let chosen = self.choices.u8(..100);
        if chosen < mix.reads || self.shared.only_reads() {
            return Action::Read;
        }
        if chosen < mix.reads + mix.deletes {
            return Action::Delete(Condition::Always);
        }
        let condition = match (self.choices.u8(..6), self.versions.get(&name)) {
            (0, _) if mix.conditional => Condition::IfNoneMatch,
            (1, Some(version)) if mix.conditional => Condition::IfMatch(*version),
            _ => Condition::Always,
        };
        let value = self.shared.next_value.fetch_add(1, Ordering::Relaxed);
        Action::Put(value, condition)
    }

    /// Asks a replica, and notes what came of it.
    pub(crate) fn perform(&mut self, replica: usize, name: usize, action: Action) -> Outcome {
        let recorder = &self.shared.recorder;
        let client = self.connection(replica);
        let invoked = recorder.now();
        let answer = send(&client, recorder.name(name), action);
        let completed = recorder.now();
        let outcome = match outcome(recorder.name(name), action, answer) {
            Ok(outcome) => outcome,
            Err(what) => {
                self.shared.offends(what);
                return Outcome::Unknown;
            }
        };
        let operation = Operation {
            client: self.number,
            action,
            invoked,
            completed,
            outcome,
        };
        recorder.note(name, operation);
        self.shared.count(outcome);
        if !matches!(action, Action::Delete(_))
            && let Some(version) = operation.version()
        {
            self.versions.insert(name, version);
        }
        outcome
    }

    fn connection(&mut self, replica: usize) -> Client {
        let address = self.shared.addresses.of(replica);
        match self.connections.get(&replica) {
            Some((known, client)) if *known == address => client.clone(),
            _ => {
                let client = Client::with_timeout(&address, WAIT_TIMEOUT);
                self.connections.insert(replica, (address, client.clone()));
                client
            }
        }
    }
}

fn send(client: &Client, name: &str, action: Action) -> Result<Response, ureq::Error> {
    let path = user_path(name);
    let condition = match action {
        Action::Put(_, condition) | Action::Delete(condition) => condition,
        Action::Read => Condition::Always,
    };
    let tag;
    let mut headers = Vec::new();
    match condition {
        Condition::Always => {}
        Condition::IfMatch(version) => {
            tag = format!("\"{version}\"");
            headers.push(("If-Match", tag.as_str()));
        }
        Condition::IfNoneMatch => headers.push(("If-None-Match", "*")),
    }
    match action {
        Action::Read => client.try_request("GET", &path, &headers, None),
        Action::Delete(_) => client.try_request("DELETE", &path, &headers, None),
        Action::Put(value, _) => {
            headers.push(("Content-Type", "application/json"));
            let body = record(name, value).to_string();
            client.try_request("PUT", &path, &headers, Some(body.as_bytes()))
        }
    }
}
