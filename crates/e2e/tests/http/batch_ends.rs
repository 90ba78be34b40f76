//! How batches end: with their client, with the service, or beside another on the same names.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};
use testkit::wait::wait_until;

use crate::api::{Api, record, version};
use crate::combination::{Turn, own_name};
use crate::problem::expect_problem;
use crate::streams::{Batch, batch, post, put};

checks!(batch_ends:
    what_was_answered_when_a_kill_came_is_kept,
    what_was_answered_to_a_client_that_disconnects_is_kept,
    a_stop_answers_what_was_read,
    a_stop_ends_a_stream_that_pauses,
    there_is_a_bound_on_streams,
    the_newest_of_two_streams_stays,
);

/// Lines that one piece has.
const PIECE: u64 = 50;
/// So many answers are read before something happens.
const ANSWERS: usize = 1_000;

fn name(number: u64) -> String {
    format!("ends {number:06}")
}

/// Sends lines until `ended` or the server takes no more.
fn send_until(batch: &mut Batch, ended: &AtomicBool) {
    for piece in 0..20_000 {
        let numbers = piece * PIECE..(piece + 1) * PIECE;
        let text: String = numbers
            .map(|number| put(&name(number), number % 150))
            .collect();
        if ended.load(Ordering::SeqCst) || !batch.try_send(&text) {
            return;
        }
    }
}

/// Runs `meanwhile` after [`ANSWERS`] answers to an endless batch. Returns how many lines were written, and
/// the answers that were others; `None` for its end where the connection ended before.
fn interrupt(api: &Api, meanwhile: impl FnOnce()) -> (u64, Vec<Value>, Option<()>) {
    let mut reader = Batch::open(api, "");
    let mut writer = reader.writer();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| send_until(&mut writer, &ended));
        let mut written = 0;
        for _ in 0..ANSWERS {
            let line = reader.next();
            written += 1;
            assert_eq!(
                (&line["line"], &line["status"]),
                (&json!(written), &json!(200))
            );
        }
        meanwhile();
        let mut others = Vec::new();
        let end = loop {
            match reader.answer() {
                Ok(Some(line)) if line["status"] == 200 => {
                    assert!(others.is_empty(), "{others:?}");
                    written += 1;
                    assert_eq!(line["line"], written);
                }
                Ok(Some(line)) => others.push(line),
                Ok(None) => break Some(()),
                Err(()) => break None,
            }
        };
        ended.store(true, Ordering::SeqCst);
        reader.close();
        (written, others, end)
    })
}

#[track_caller]
fn expect_written(api: &Api, lines: u64) {
    for from in (0..lines).step_by(1000) {
        let names: Vec<String> = (from..lines.min(from + 1000)).map(name).collect();
        let answer = api.client().post_json("/users/get", &json!(names)).json();
        for (number, user) in (from..).zip(answer["users"].as_array().unwrap()) {
            assert_eq!(
                user["user"],
                record(&name(number), (number % 150) as u8, "Engineer")
            );
        }
    }
}

/// The same of the database.
#[track_caller]
fn expect_persisted(api: &Api, lines: u64) {
    let users = api.all_users(1000);
    assert!(users.len() as u64 >= lines, "{} of {lines}", users.len());
    for (number, user) in (0..lines).zip(&users) {
        assert_eq!(
            *user,
            record(&name(number), (number % 150) as u8, "Engineer")
        );
    }
}

pub(crate) fn what_was_answered_when_a_kill_came_is_kept(turn: &Turn) {
    let mut running = turn.start();
    let api = Api::of(&running);
    let (written, others, end) = interrupt(&api, || {
        running.process().kill_9();
    });
    assert_eq!((others, end), (Vec::new(), None));
    running.start_again();
    let api = Api::of(&running);
    if !turn.is_write_behind() {
        expect_persisted(&api, written);
    }
    expect_written(&api, written);
    api.settle();
    expect_persisted(&api, written);
}

pub(crate) fn what_was_answered_to_a_client_that_disconnects_is_kept(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    let mut reader = Batch::open(&api, "");
    let text: String = (0..5_000)
        .map(|number| put(&name(number), number % 150))
        .collect();
    let mut writer = reader.writer();
    thread::scope(|scope| {
        scope.spawn(move || writer.try_send(&text));
        for number in 1..=10 {
            assert_eq!(reader.next()["line"], number);
        }
        reader.close();
    });
    expect_written(&api, 10);
    api.settle();
    expect_persisted(&api, 10);
    // Of the others, each is there as a whole or not at all.
    for user in api.all_users(1000) {
        let number: u64 = user["name"].as_str().unwrap()[5..].parse().unwrap();
        assert_eq!(
            user,
            record(&name(number), (number % 150) as u8, "Engineer")
        );
    }
    assert_eq!(batch(&api, "", put("again", 1))[0]["status"], 200);
}

pub(crate) fn a_stop_answers_what_was_read(turn: &Turn) {
    let mut running = turn.start();
    let api = Api::of(&running);
    let (written, others, end) = interrupt(&api, || running.process().begin_to_terminate());
    assert_eq!((others.len(), end), (1, Some(())), "{others:?}");
    assert_eq!(others[0]["line"], written + 1);
    assert_eq!(others[0]["type"], "/problems/stopping");
    assert_eq!(others[0]["status"], 503);
    let status = running.process().wait();
    assert!(status.success(), "{status}");
    running.start_again();
    let api = Api::of(&running);
    expect_written(&api, written);
    api.settle();
    expect_persisted(&api, written);
    // What was not read was not written.
    assert_eq!(api.all_users(1000).len() as u64, written);
}

pub(crate) fn a_stop_ends_a_stream_that_pauses(turn: &Turn) {
    let mut running = turn.start();
    let api = Api::of(&running);
    let mut stream = Batch::open(&api, "");
    stream.send(put("whole", 1));
    assert_eq!(stream.next()["status"], 200);
    let line = put("half", 1);
    stream.send(line.trim_end());
    running.process().begin_to_terminate();
    let rest = stream.rest();
    assert_eq!(rest.len(), 1);
    assert_eq!(
        (&rest[0]["line"], &rest[0]["status"]),
        (&json!(2), &json!(503))
    );
    let status = running.process().wait();
    assert!(status.success(), "{status}");
    running.start_again();
    let api = Api::of(&running);
    assert_eq!(api.must_get("whole")["age"], 1);
    expect_problem(&api.get("half"), 404);
}

pub(crate) fn there_is_a_bound_on_streams(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    let open = || {
        let mut stream = Batch::open(&api, "");
        stream.send(put("open", 1));
        assert_eq!(stream.next()["status"], 200);
        stream
    };
    let mut streams: Vec<Batch> = (0..8).map(|_| open()).collect();
    let refused = post(&api, "", put("refused", 1).as_bytes());
    expect_problem(&refused, 503);
    assert!(refused.header("Retry-After").is_some());
    // Other calls are answered.
    api.must_write(&record("alone", 1, "Engineer"));
    expect_problem(&api.get("refused"), 404);
    drop(streams.pop());
    wait_until("there is a place again", || {
        post(&api, "", put("again", 1).as_bytes()).status == 200
    });
    for stream in &mut streams {
        stream.finish();
        assert_eq!(stream.rest(), Vec::<Value>::new());
    }
}

pub(crate) fn the_newest_of_two_streams_stays(turn: &Turn) {
    // Of its own, since it empties the cache.
    let running = turn.start();
    let api = Api::of(&running);
    let own = own_name("two");
    let (own, api) = (&own, &api);
    let body = |from: u64| -> String {
        let lines = (from..from + 3_000)
            .map(|number| put(&format!("{own} {}", number % 100), number % 150));
        lines.collect()
    };
    let bodies = [body(0), body(77)];
    let answers = thread::scope(|scope| {
        let streams = bodies
            .each_ref()
            .map(|body| scope.spawn(move || batch(api, "", body)));
        streams.map(|stream| stream.join().unwrap())
    });
    let mut newest: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (body, answers) in bodies.iter().zip(&answers) {
        assert_eq!(answers.len(), 3_000);
        for (line, answer) in body.lines().zip(answers) {
            assert_eq!(answer["status"], 200);
            let user: Value = serde_json::from_str(line).unwrap();
            let written = (
                answer["version"].as_u64().unwrap(),
                user["age"].as_u64().unwrap(),
            );
            let held = newest
                .entry(user["name"].as_str().unwrap().to_owned())
                .or_default();
            *held = written.max(*held);
        }
    }
    assert_eq!(newest.len(), 100);
    for forget in [false, true] {
        if forget {
            api.settle();
            assert_eq!(api.client().delete("/cache").status, 204);
        }
        for (name, (newest, age)) in &newest {
            let read = api.get(name);
            assert_eq!(
                (version(&read), &read.json()["age"]),
                (*newest, &json!(age))
            );
        }
    }
}
