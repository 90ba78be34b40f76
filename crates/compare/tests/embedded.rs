//! Services that are started on embedded parts, and what is left when they are stopped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

use std::net::TcpListener;
use std::path::PathBuf;

use compare::pattern::Pattern;
use compare::site::binaries::Binaries;
use compare::site::{Backends, Database, RunningService, Site};
use rustix::process::{Pid, test_kill_process};
use serde_json::json;
use testkit::http::Client;
use url::Url;

async fn embedded() -> Site {
    let binaries = Binaries::beside_the_tool().unwrap();
    Site::prepare(Backends::Embedded, Some(binaries))
        .await
        .unwrap()
}

fn folder_of(service: &RunningService) -> PathBuf {
    match service.database() {
        Some(Database::Sqlite(file)) => file.parent().unwrap().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn is_there(pid: u32) -> bool {
    test_kill_process(Pid::from_raw(pid as i32).unwrap()).is_ok()
}

fn write_and_read(service: &RunningService) {
    let client = Client::new(service.url().as_str());
    let user = json!({"name": "Ada", "age": 36, "occupation": "Mathematician"});
    let written = client.post_json(service.pattern().write_path(), &user);
    assert_eq!(written.status, 200, "{}", written.text());
    assert_eq!(client.get("/users/Ada").json(), user);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_services_start_empty_and_leave_nothing_behind() {
    let site = embedded().await;
    for pattern in Pattern::BOTH {
        for _ in 0..2 {
            let service = site.start(pattern, false).await.unwrap();
            let (folder, pid) = (folder_of(&service), service.pid().unwrap());
            assert!(folder.starts_with(std::env::temp_dir()));
            let client = Client::new(service.url().as_str());
            assert_eq!(client.get("/users/Ada").status, 404, "{pattern:?}");
            write_and_read(&service);
            assert!(folder.is_dir() && is_there(pid));
            service.stop().await.unwrap();
            assert!(!folder.exists(), "{pattern:?}");
            assert!(!is_there(pid), "{pattern:?}");
        }
    }
    site.clean_up().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_dropped_is_gone_with_its_folder() {
    let service = embedded()
        .await
        .start(Pattern::WriteBehind, false)
        .await
        .unwrap();
    write_and_read(&service);
    let (folder, pid) = (folder_of(&service), service.pid().unwrap());
    drop(service);
    assert!(!is_there(pid));
    assert!(!folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_start_is_quoted() {
    use compare::site::process::ServiceProcess;
    let folder = tempfile::tempdir().unwrap();
    let binaries = Binaries::beside_the_tool().unwrap();
    let settings = [("BATCH_MAX", "many".to_owned())];
    let binary = binaries.of(Pattern::WriteThrough);
    let refused = ServiceProcess::start(&binary, folder.path(), &settings).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.starts_with("write-through-svc did not start (exit status: 64)"),
        "{refused}"
    );
    assert!(refused.contains("BATCH_MAX"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_at_a_url_and_is_no_service_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let parts = Backends::Running {
        write_through: url.clone(),
        write_behind: url.clone(),
    };
    let answers = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        // The tool first checks with a connection without a request that the port is
        // open.
        let mut accepted = listener.incoming().map(Result::unwrap);
        let mut stream = accepted
            .find_map(|mut stream| (stream.read(&mut [0; 1024]).unwrap() > 0).then_some(stream))
            .unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            .unwrap();
    });
    let refused = Site::prepare(parts.clone(), None)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("is no write-through-svc"), "{refused}");
    answers.join().unwrap();
    // The listener is gone now.
    let refused = Site::prepare(parts, None).await.unwrap_err().to_string();
    assert!(
        refused.starts_with("nothing answers at http://"),
        "{refused}"
    );
}
