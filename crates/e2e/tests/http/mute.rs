//! Servers that take a connection and then say nothing.

use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::certificates::Authority;
use testkit::service::{Service, ServiceProcess, run_to_end};

/// Far from every default that a service would wait for.
const SOON: Duration = Duration::from_secs(8);

/// The port of a server that keeps all connections, and is silent on them.
fn mute_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    port
}

#[track_caller]
fn expect_ended(
    service: Service,
    arguments: &[&str],
    settings: &[(&str, &str)],
    part: &str,
) -> String {
    let folder = TempDir::new().unwrap();
    let mut command: Command = service.command();
    command
        .args(arguments)
        .envs(settings.iter().copied())
        .current_dir(&folder);
    let began = Instant::now();
    let output = run_to_end(&mut command);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{settings:?}: {said}");
    let sentence = format!("the {part} is unavailable: ");
    assert!(said.contains(&sentence), "{settings:?}: {said}");
    assert!(
        began.elapsed() < SOON,
        "{settings:?}: {:?}: {said}",
        began.elapsed()
    );
    said
}

#[test]
fn the_start_ends_by_its_deadline_at_a_mute_database() {
    let authority = Authority::new("CA");
    let url = format!("mysql://me@127.0.0.1:{}/users", mute_port());
    let by_tls = format!("{url}?require_ssl=true");
    for service in Service::all() {
        for (url, ca_file) in [(&url, ""), (&by_tls, ""), (&url, authority.ca_file())] {
            for arguments in [[].as_slice(), &["migrate"]] {
                let settings = [
                    ("DATABASE_URL", url.as_str()),
                    ("DATABASE_CA_FILE", ca_file),
                    ("STARTUP_DEADLINE_S", "1"),
                ];
                expect_ended(service, arguments, &settings, "database");
            }
        }
        let settings = [
            ("DATABASE_URL", url.as_str()),
            ("DATABASE_TIMEOUT_MS", "500"),
            ("STARTUP_DEADLINE_S", "3"),
        ];
        let said = expect_ended(service, &[], &settings, "database");
        assert!(said.contains("waiting for a part"), "{said}");
    }
}

fn cache_urls(authority: &Authority) -> [(String, &str); 3] {
    let port = mute_port();
    [
        (format!("redis://127.0.0.1:{port}"), ""),
        (format!("rediss://127.0.0.1:{port}"), ""),
        (format!("rediss://127.0.0.1:{port}"), authority.ca_file()),
    ]
}

#[test]
fn the_start_ends_by_its_deadline_at_a_mute_cache() {
    let authority = Authority::new("CA");
    for service in Service::all() {
        for (url, ca_file) in cache_urls(&authority) {
            let mut settings = vec![
                ("CACHE_URL", url.as_str()),
                ("CACHE_CA_FILE", ca_file),
                ("REDIS_TIMEOUT_MS", "60000"),
                ("STARTUP_DEADLINE_S", "1"),
            ];
            if service == Service::WriteThrough {
                settings.push(("CACHE_UNAVAILABLE", "refuse"));
            }
            expect_ended(service, &[], &settings, "cache");
        }
    }
}

#[test]
fn write_through_starts_without_a_mute_cache() {
    let authority = Authority::new("CA");
    for (url, ca_file) in cache_urls(&authority) {
        let folder = TempDir::new().unwrap();
        let settings = [
            ("CACHE_URL", url.as_str()),
            ("CACHE_CA_FILE", ca_file),
            ("CACHE_UNAVAILABLE", "bypass"),
            ("CACHE_LEASE_MS", "1000"),
            ("STARTUP_DEADLINE_S", "1"),
        ];
        let began = Instant::now();
        let process = ServiceProcess::start_in(folder.path(), Service::WriteThrough, &settings);
        assert!(began.elapsed() < SOON, "{url}: {:?}", began.elapsed());
        let user = serde_json::json!({"name": "Ann", "age": 30, "occupation": "Engineer"});
        let path = Service::WriteThrough.write_path();
        testkit::wait::wait_until("it bypasses the cache", || {
            process.client().post_json(path, &user).status == 200
        });
        assert_eq!(process.client().get("/users/Ann").status, 200);
    }
}
