use super::*;
use crate::request::Operation::{Delete, Read, Write};

/// Ends each request as soon as it has begun.
struct Client {
    ledger: Ledger,
    number: u64,
}

impl Client {
    fn new() -> Client {
        Client {
            ledger: Ledger::new(),
            number: 0,
        }
    }

    fn begin(&mut self, operation: Operation) -> Open {
        self.number += 1;
        self.ledger.begin(Request {
            number: self.number,
            name: 7,
            operation,
        })
    }

    fn does(&mut self, operation: Operation, answer: Answer) -> u64 {
        let open = self.begin(operation);
        self.ledger.end(open, answer);
        self.number
    }

    fn writes(&mut self, version: u64) -> u64 {
        self.does(Write, Answer::Acknowledged { version })
    }

    fn stale(&self) -> u64 {
        self.ledger.check(|_| None).stale_reads
    }

    fn lost(&self, last: Option<Final>) -> u64 {
        self.ledger.check(|_| last).lost
    }
}

fn found(version: u64, writer: u64) -> Answer {
    Answer::Found {
        version,
        writer: Some(writer),
    }
}

fn ends(version: u64, writer: u64) -> Option<Final> {
    Some(Final {
        version: Some(version),
        writer: Some(writer),
    })
}

#[test]
fn the_newest_acknowledged_write_must_be_there_in_the_end() {
    let mut client = Client::new();
    let first = client.writes(10);
    let second = client.writes(20);
    assert_eq!(client.lost(ends(20, second)), 0);
    assert_eq!(client.lost(ends(10, first)), 1);
    assert_eq!(client.lost(None), 1);
    assert_eq!(client.lost(ends(20, first)), 1);
    let unversioned = |writer| {
        Some(Final {
            version: None,
            writer: Some(writer),
        })
    };
    assert_eq!(client.lost(unversioned(second)), 0);
    assert_eq!(client.lost(unversioned(first)), 1);
    let of_no_client = Some(Final {
        version: Some(30),
        writer: None,
    });
    assert_eq!(client.lost(of_no_client), 1);
    let findings = client.ledger.check(|_| None);
    assert_eq!((findings.acknowledged, findings.names), (2, 1));
    assert_eq!(
        findings.examples,
        ["name 7: version 20 was acknowledged or read, and there is no record"]
    );
}

#[test]
fn writes_that_overlap_are_ordered_by_version_and_not_by_when_they_were_answered() {
    let mut client = Client::new();
    let (one, other) = (client.begin(Write), client.begin(Write));
    client
        .ledger
        .end(other, Answer::Acknowledged { version: 20 });
    client.ledger.end(one, Answer::Acknowledged { version: 10 });
    assert_eq!(client.lost(ends(20, 2)), 0);
    assert_eq!(client.lost(ends(10, 1)), 1);
    client.does(Read, found(10, 1));
    assert_eq!(client.stale(), 1);
}

#[test]
fn deletes_that_overlap_are_ordered_by_version_and_not_by_when_they_were_answered() {
    let mut client = Client::new();
    client.writes(10);
    let (one, other) = (client.begin(Delete), client.begin(Delete));
    client
        .ledger
        .end(other, Answer::Acknowledged { version: 30 });
    client.does(Read, Answer::NotFound);
    client.ledger.end(one, Answer::Acknowledged { version: 20 });
    client.does(Read, Answer::NotFound);
    assert_eq!(client.stale(), 0);
    assert_eq!(client.lost(None), 0);
}

#[test]
fn a_write_of_unknown_outcome_may_be_there_in_the_end_and_need_not() {
    let mut client = Client::new();
    let first = client.writes(10);
    let second = client.does(Write, Answer::Unknown);
    assert_eq!(client.lost(ends(10, first)), 0);
    assert_eq!(client.lost(ends(20, second)), 0);
    // It was begun later, but an older version cannot have replaced a newer one.
    assert_eq!(client.lost(ends(5, second)), 1);
    assert_eq!(client.lost(None), 1);
    let third = client.does(Write, Answer::Refused);
    assert_eq!(client.lost(ends(30, third)), 1);
}

#[test]
fn what_was_deleted_stays_deleted() {
    let mut client = Client::new();
    let first = client.writes(10);
    client.does(Delete, Answer::Acknowledged { version: 20 });
    assert_eq!(client.lost(None), 0);
    assert_eq!(client.lost(ends(10, first)), 1);
    assert_eq!(client.lost(ends(30, first)), 1);
    let last = client.writes(30);
    assert_eq!(client.lost(ends(30, last)), 0);
    assert_eq!(client.lost(None), 1);
    assert_eq!(client.ledger.check(|_| None).names_uncertain, 0);
    client.does(Delete, Answer::Unknown);
    assert_eq!(client.lost(None), 0);
    assert_eq!(client.lost(ends(30, last)), 0);
    assert_eq!(client.ledger.check(|_| None).names_uncertain, 1);
}

#[test]
fn what_was_read_must_not_be_gone_in_the_end() {
    let mut client = Client::new();
    let unknown = client.does(Write, Answer::Unknown);
    assert_eq!(client.lost(None), 0);
    client.does(Read, found(10, unknown));
    assert_eq!(client.lost(None), 1);
    assert_eq!(client.lost(ends(10, unknown)), 0);
    assert_eq!(client.lost(ends(9, unknown)), 1);
}

#[test]
fn a_read_must_not_be_older_than_what_was_acknowledged_or_read_before_it_began() {
    let mut client = Client::new();
    let first = client.writes(10);
    client.does(Read, found(10, first));
    assert_eq!(client.stale(), 0);
    client.does(Read, found(9, first));
    assert_eq!(client.stale(), 1);
    let unknown = client.does(Write, Answer::Unknown);
    client.does(Read, found(20, unknown));
    assert_eq!(client.stale(), 1);
    client.does(Read, found(10, first));
    assert_eq!(client.stale(), 2);
    // What was read too old does not make what was there before forgotten.
    client.does(Read, found(10, first));
    assert_eq!(client.stale(), 3);
    client.does(Delete, Answer::Acknowledged { version: 30 });
    client.does(Read, found(20, unknown));
    assert_eq!(client.stale(), 4);
}

#[test]
fn a_read_may_be_as_old_as_what_was_acknowledged_when_it_began() {
    let mut client = Client::new();
    let first = client.writes(10);
    let read = client.begin(Read);
    client.writes(20);
    client.ledger.end(read, found(10, first));
    assert_eq!(client.stale(), 0);
}

#[test]
fn a_version_has_the_value_that_was_written_at_it() {
    let mut client = Client::new();
    let first = client.writes(10);
    client.writes(20);
    client.does(Read, found(20, first));
    assert_eq!(client.stale(), 1);
    let of_no_client = Answer::Found {
        version: 20,
        writer: None,
    };
    client.does(Read, of_no_client);
    assert_eq!(client.stale(), 2);
    client.does(Delete, Answer::Acknowledged { version: 30 });
    client.does(Read, found(30, first));
    assert_eq!(client.stale(), 3);
}

#[test]
fn no_record_is_an_answer_only_where_a_delete_may_be_why() {
    let mut client = Client::new();
    client.does(Read, Answer::NotFound);
    client.does(Delete, Answer::NothingToDelete);
    assert_eq!(client.stale(), 0);
    client.writes(10);
    client.does(Read, Answer::NotFound);
    assert_eq!(client.stale(), 1);
    client.does(Delete, Answer::NothingToDelete);
    assert_eq!(client.stale(), 2);

    let delete = client.begin(Delete);
    client.does(Read, Answer::NotFound);
    client
        .ledger
        .end(delete, Answer::Acknowledged { version: 20 });
    client.does(Read, Answer::NotFound);
    assert_eq!(client.stale(), 2);

    let read = client.begin(Read);
    client.writes(30);
    client.ledger.end(read, Answer::NotFound);
    assert_eq!(client.stale(), 2);
    client.does(Read, Answer::NotFound);
    assert_eq!(client.stale(), 3);
    client.does(Delete, Answer::Refused);
    client.does(Read, Answer::NotFound);
    assert_eq!(client.stale(), 4);
    client.does(Delete, Answer::Unknown);
    client.does(Read, Answer::NotFound);
    assert_eq!(client.stale(), 4);
}

#[test]
fn a_delete_that_begins_and_ends_during_a_read_explains_that_there_is_no_record() {
    let mut client = Client::new();
    client.writes(10);
    let read = client.begin(Read);
    client.does(Delete, Answer::Acknowledged { version: 20 });
    client.ledger.end(read, Answer::NotFound);
    assert_eq!(client.stale(), 0);
}

#[test]
fn a_name_is_as_long_in_doubt_as_one_delete_is_under_way() {
    let mut client = Client::new();
    client.writes(10);
    let (one, other) = (client.begin(Delete), client.begin(Delete));
    client.ledger.end(one, Answer::Refused);
    client.does(Read, Answer::NotFound);
    assert_eq!(client.stale(), 0);
    client.ledger.end(other, Answer::Refused);
    client.does(Read, Answer::NotFound);
    assert_eq!(client.stale(), 1);
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let mut client = Client::new();
    let first = client.writes(10);
    client.writes(20);
    let wrong_end = |client: &Client, last| client.ledger.check(|_| last).examples.remove(0);
    assert_eq!(
        wrong_end(&client, ends(10, first)),
        "name 7: version 20 was acknowledged or read, and the record has version 10"
    );
    assert_eq!(
        wrong_end(&client, ends(20, first)),
        "name 7: request 2 was acknowledged last, and the record is of request 1"
    );
    let of_no_client = Some(Final {
        version: Some(20),
        writer: None,
    });
    assert_eq!(
        wrong_end(&client, of_no_client),
        "name 7: the record is of no request of this workload"
    );
    client.does(Read, found(10, first));
    client.does(Read, found(20, first));
    client.does(Read, Answer::NotFound);
    client.does(Delete, Answer::Acknowledged { version: 30 });
    assert_eq!(
        wrong_end(&client, ends(30, first)),
        "name 7: it was deleted last, and the record is of request 1"
    );
    assert_eq!(
        client.ledger.check(|_| None).examples,
        [
            "name 7, request 3: version 10 was read, after version 20 was acknowledged or read",
            "name 7, request 4: version 20 was read with a value that was not written at that version",
            "name 7, request 5: there was said to be no record, after version 20 was acknowledged or read",
        ]
    );
}

#[test]
fn of_what_is_wrong_all_is_counted_and_a_few_are_described() {
    let ledger = Ledger::new();
    for name in 0..20 {
        let begin = |operation| {
            ledger.begin(Request {
                number: name.into(),
                name,
                operation,
            })
        };
        ledger.end(begin(Write), Answer::Acknowledged { version: 10 });
        ledger.end(begin(Read), Answer::NotFound);
    }
    assert_eq!(ledger.acknowledged(), 20);
    let findings = ledger.check(|_| None);
    assert_eq!((findings.lost, findings.stale_reads), (20, 20));
    let stale = |example: &&String| example.contains(", request ");
    assert_eq!(findings.examples.iter().filter(stale).count(), 5);
    assert_eq!(findings.examples.len(), 10);
}

#[test]
fn names_do_not_touch_each_other() {
    let ledger = Ledger::new();
    let asked: Vec<u32> = (0..1000).chain([u32::MAX]).collect();
    for &name in &asked {
        let request = Request {
            number: name.into(),
            name,
            operation: Write,
        };
        let open = ledger.begin(request);
        ledger.end(open, Answer::Acknowledged { version: 10 });
    }
    let mut names = ledger.names();
    names.sort_unstable();
    assert_eq!(names, asked);
    let findings = ledger.check(|name| {
        (name != 500).then_some(Final {
            version: Some(10),
            writer: Some(name.into()),
        })
    });
    assert_eq!((findings.lost, findings.names), (1, 1001));
    assert!(
        findings.examples[0].starts_with("name 500: "),
        "{findings:?}"
    );
}
