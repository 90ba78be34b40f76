//! What the database has in the end, however it is read: from the file, from the server, through
//! the service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

use std::collections::HashMap;

use cache_core::model::user::User;
use compare::final_state;
use compare::kept::Kept;
use compare::pattern::Pattern;
use compare::site::binaries::Binaries;
use compare::site::{Backends, RunningService, Site};
use serde_json::json;
use testkit::http::{Client, user_path};
use testkit::servers::{mysql_url, redis_url};

const PREFIX: &str = "Zo\u{eb}_%-";

async fn site(parts: Backends) -> Site {
    let binaries = Binaries::beside_the_tool().unwrap();
    Site::prepare(parts, Some(binaries)).await.unwrap()
}

fn name(number: u32) -> String {
    format!("{PREFIX}{number}")
}

fn user(number: u32) -> User {
    User {
        name: name(number),
        age: number as u8,
        occupation: "Mathematician".to_owned(),
    }
}

fn version_in(answer: &testkit::http::Response) -> u64 {
    let tag = answer.header("etag").unwrap();
    tag.trim_matches('"').parse().unwrap()
}

/// Writes 0 to 4, deletes 1, and writes one that has another prefix. Returns what must be there.
fn write(service: &RunningService) -> HashMap<String, Kept> {
    let client = Client::new(service.url().as_str());
    let mut expected = HashMap::new();
    for number in 0..5 {
        let body = serde_json::to_value(user(number)).unwrap();
        let written = client.post_json(service.pattern().write_path(), &body);
        assert_eq!(written.status, 200, "{}", written.text());
        let kept = Kept {
            version: Some(version_in(&written)),
            user: Some(user(number)),
        };
        expected.insert(name(number), kept);
    }
    let deleted = client.delete(&user_path(&name(1)));
    assert_eq!(deleted.status, 204);
    let kept = Kept {
        version: Some(version_in(&deleted)),
        user: None,
    };
    expected.insert(name(1), kept);
    let other = json!({"name": "Zo\u{eb}xx-0", "age": 1, "occupation": "x"});
    assert_eq!(
        client
            .post_json(service.pattern().write_path(), &other)
            .status,
        200
    );
    expected
}

async fn is_read_as_it_was_acknowledged(service: &RunningService) {
    let expected = write(service);
    assert!(final_state::settle(service, 60).await.is_some());
    let names: Vec<String> = (0..6).map(name).collect();
    let read = final_state::read(service, PREFIX, &names).await.unwrap();
    assert_eq!((read.asked, read.kept), ("database", expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_has_what_was_acknowledged_and_nothing_of_other_names() {
    let site = site(Backends::Embedded).await;
    for pattern in Pattern::BOTH {
        let service = site.start(pattern, false).await.unwrap();
        is_read_as_it_was_acknowledged(&service).await;
        service.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn the_server_has_what_was_acknowledged_and_nothing_of_other_names() {
    let site = site(Backends::servers(&redis_url(), &mysql_url()).unwrap()).await;
    for pattern in Pattern::BOTH {
        let service = site.start(pattern, false).await.unwrap();
        is_read_as_it_was_acknowledged(&service).await;
        service.stop().await.unwrap();
    }
    site.clean_up().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_whose_database_is_out_of_reach_is_asked_for_each_name() {
    let embedded = site(Backends::Embedded).await;
    let through = embedded.start(Pattern::WriteThrough, false).await.unwrap();
    let behind = embedded.start(Pattern::WriteBehind, false).await.unwrap();
    let parts = Backends::Running {
        write_through: through.url().clone(),
        write_behind: behind.url().clone(),
    };
    let running = Site::prepare(parts, None).await.unwrap();
    for pattern in Pattern::BOTH {
        let service = running.start(pattern, false).await.unwrap();
        let mut expected = write(&service);
        let nothing = Kept {
            version: None,
            user: None,
        };
        // It does not say that there was a record before.
        expected.insert(name(1), nothing.clone());
        // More than one connection has to ask for.
        let names: Vec<String> = (0..60).map(name).collect();
        for name in &names {
            expected.entry(name.clone()).or_insert(nothing.clone());
        }
        let read = final_state::read(&service, PREFIX, &names).await.unwrap();
        assert_eq!((read.asked, read.kept), ("service", expected));
    }
    through.stop().await.unwrap();
    behind.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_settled_in_time_is_not_said_to_be() {
    let site = site(Backends::Embedded).await;
    let service = site.start(Pattern::WriteBehind, true).await.unwrap();
    let lever = service.database_lever().unwrap();
    lever.outage().await.unwrap();
    write(&service);
    assert_eq!(final_state::settle(&service, 1).await, None);
    lever.restore().await.unwrap();
    assert!(final_state::settle(&service, 60).await.is_some());
    service.stop().await.unwrap();
}
