//! No other write takes place between the judgement of a precondition and its write.

use std::sync::Barrier;
use std::thread;

use testkit::http::Response;

use crate::api::{Api, record, shown, version};
use crate::combination::{Turn, own_name};
use crate::preconditions::{Before, Call, call};
use crate::problem::expect_problem;

checks!(races:
    of_increments_that_race_none_is_lost,
    of_creations_that_race_one_takes_place,
    creations_and_deletes_that_race_take_turns,
    a_delete_and_a_write_of_one_version_never_both_take_place,
    of_deletes_of_another_version_that_race_one_takes_place,
);

/// A write that took place upon another.
#[derive(Clone, Copy, Debug)]
struct Step {
    upon: u64,
    version: u64,
}

/// Adds 1 to the age of `name` until it is `most`, each time upon what was read. Returns what took place.
fn increment(api: &Api, name: &str, most: u64) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut missed = None;
    loop {
        let read = api.get(name);
        assert_eq!(read.status, 200, "{}", shown(&read));
        // Or this would not end.
        assert_ne!(Some(version(&read)), missed, "failed upon what there is");
        let age = read.json()["age"].as_u64().unwrap();
        if age >= most {
            return steps;
        }
        let next = u8::try_from(age + 1).unwrap();
        let tag = read.header("ETag").unwrap();
        let answer = call(api, Call::Put, name, next, &[("If-Match", tag)]);
        match answer.status {
            200 => steps.push(Step {
                upon: version(&read),
                version: version(&answer),
            }),
            412 => {
                expect_problem(&answer, 412);
                missed = Some(version(&read));
            }
            _ => panic!("{}", shown(&answer)),
        }
    }
}

/// Increments through several services at once, and expects that each took place upon the one before.
pub(crate) fn expect_no_increment_lost(apis: &[Api], threads: usize, most: u64) {
    let name = own_name("counter");
    let created = apis[0].must_write(&record(&name, 0, "Engineer"));
    let steps = race(threads, |thread| {
        increment(&apis[thread % apis.len()], &name, most)
    });
    let mut steps = steps.concat();
    steps.sort_unstable_by_key(|step| step.version);
    let mut newest = created;
    for step in &steps {
        assert_eq!(step.upon, newest, "{step:?} was not upon the one before");
        newest = step.version;
    }
    assert_eq!(steps.len() as u64, most);
    for api in apis {
        api.settle();
        let read = api.get(&name);
        assert_eq!(read.json()["age"], most);
        assert_eq!(version(&read), newest);
    }
}

pub(crate) fn of_increments_that_race_none_is_lost(turn: &Turn) {
    expect_no_increment_lost(&[turn.shared()], 32, 150);
}

/// What so many threads return that begin at the same moment.
fn race<T: Send>(threads: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let begin = Barrier::new(threads);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|number| {
                let (begin, run) = (&begin, &run);
                scope.spawn(move || {
                    begin.wait();
                    run(number)
                })
            })
            .collect();
        let threads = threads.into_iter();
        threads.map(|thread| thread.join().unwrap()).collect()
    })
}

pub(crate) fn of_creations_that_race_one_takes_place(turn: &Turn) {
    let api = turn.shared();
    for before in [Before::Never, Before::Deleted].repeat(5) {
        let name = own_name("create");
        before.make(&api, &name);
        let answers = race(16, |number| {
            let age = u8::try_from(number).unwrap();
            call(&api, Call::Put, &name, age, &[("If-None-Match", "*")])
        });
        let mut created = None;
        for (age, answer) in (0..).zip(&answers) {
            match answer.status {
                200 => assert_eq!(created.replace(age), None, "two were created"),
                _ => assert_eq!(expect_problem(answer, 412), [""; 0]),
            }
        }
        let created = created.expect("one is created");
        assert_eq!(api.must_get(&name), record(&name, created, "Engineer"));
    }
}

pub(crate) fn creations_and_deletes_that_race_take_turns(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("turns");
    let rounds = 30;
    let history = race(8, |number| {
        let is_creation = number % 2 == 0;
        let answers = (0..rounds).map(|_| match is_creation {
            true => call(&api, Call::Put, &name, 1, &[("If-None-Match", "*")]),
            false => call(&api, Call::Delete, &name, 0, &[("If-Match", "*")]),
        });
        let done = answers.filter_map(|answer| match answer.status {
            200 | 204 => Some((version(&answer), is_creation)),
            _ => {
                expect_problem(&answer, 412);
                None
            }
        });
        done.collect::<Vec<(u64, bool)>>()
    });
    let mut history = history.concat();
    history.sort_unstable();
    assert!(history.len() >= 2, "{history:?}");
    for (place, (_, is_creation)) in history.iter().enumerate() {
        assert_eq!(*is_creation, place % 2 == 0, "{history:?}");
    }
    let is_there = history.last().unwrap().1;
    assert_eq!(api.get(&name).status, if is_there { 200 } else { 404 });
}

pub(crate) fn a_delete_and_a_write_of_one_version_never_both_take_place(turn: &Turn) {
    let api = turn.shared();
    for _ in 0..20 {
        let name = own_name("either");
        let tag = format!("\"{}\"", api.must_write(&record(&name, 1, "Engineer")));
        let answers = race(6, |number| match number % 3 {
            0 => call(&api, Call::Delete, &name, 0, &[("If-Match", &tag)]),
            1 => call(&api, Call::Put, &name, 2, &[("If-Match", &tag)]),
            _ => call(&api, Call::Post, &name, 3, &[("If-Match", &tag)]),
        });
        let done = |answer: &&Response| matches!(answer.status, 200 | 204);
        assert_eq!(answers.iter().filter(done).count(), 1);
        let won = answers.iter().find(done).unwrap();
        for answer in answers.iter().filter(|answer| !done(answer)) {
            expect_problem(answer, 412);
        }
        let read = api.get(&name);
        match won.status {
            204 => assert_eq!(read.status, 404),
            _ => assert_eq!(version(&read), version(won)),
        }
    }
}

pub(crate) fn of_deletes_of_another_version_that_race_one_takes_place(turn: &Turn) {
    let api = turn.shared();
    for _ in 0..20 {
        let name = own_name("another");
        let (_, older) = Before::There.make(&api, &name);
        let tag = format!("\"{older}\"");
        let answers = race(8, |_| {
            call(&api, Call::Delete, &name, 0, &[("If-None-Match", &tag)])
        });
        let done = |answer: &&Response| answer.status == 204;
        assert_eq!(answers.iter().filter(done).count(), 1);
        for answer in answers.iter().filter(|answer| !done(answer)) {
            expect_problem(answer, 404);
        }
    }
}
