//! `healthcheck`: what a container asks that has nothing but the binary.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::parts::{Installation, Parts};
use testkit::servers::TestDatabase;
use testkit::service::{Service, run_to_end};
use testkit::wait::wait_until;

/// Longer than the three seconds that an answer may take, by what a busy machine may need.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(15);

/// The exit code and what is said on standard error; nothing is on standard output.
fn ask(service: Service, listen: &str, more: &[&str]) -> (i32, String) {
    let mut command = service.command();
    let Output {
        status,
        stdout,
        stderr,
    } = run_to_end(command.arg("healthcheck").args(more).env("LISTEN", listen));
    assert_eq!(stdout, b"");
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

#[track_caller]
fn expect_unhealthy(service: Service, listen: &str, more: &[&str], reason: &str) {
    let (code, said) = ask(service, listen, more);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(reason), "{reason}: {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

fn well() -> (i32, String) {
    (0, String::new())
}

#[test]
fn a_service_that_runs_is_well() {
    for service in Service::all() {
        let running = Parts::Embedded.start(service);
        let listen = running.base_url().trim_start_matches("http://");
        for more in [[].as_slice(), &["--ready"]] {
            assert_eq!(ask(service, listen, more), well());
        }
        // A service that listens on all addresses does so on the loopback address, too.
        let (_, port) = listen.rsplit_once(':').unwrap();
        assert_eq!(ask(service, &format!("0.0.0.0:{port}"), &[]), well());
        let unreachable = format!("http://[::1]:{port}/healthz: ");
        expect_unhealthy(service, &format!("[::]:{port}"), &[], &unreachable);

        // Where it listens may be in the file, with whatever else there is.
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, format!("listen = \"{listen}\"\nbatch_max = 0\n")).unwrap();
        let mut command = service.command();
        command
            .arg("healthcheck")
            .env("CONFIG_FILE", &file)
            .env("DATABASE_URL_FILE", "/nowhere/url");
        assert_eq!(run_to_end(&mut command).status.code(), Some(0));
    }
}

#[test]
#[ignore = "needs servers"]
fn a_service_without_a_part_that_it_needs_lives_and_is_not_ready() {
    let mut redis = OwnServer::redis(AppendFsync::EverySecond, "0");
    let database = TestDatabase::create();
    let service = Service::WriteBehind;
    let running = Installation::on(service, redis.url(), database).run();
    let listen = running.base_url().trim_start_matches("http://");
    assert_eq!(ask(service, listen, &["--ready"]), well());
    redis.kill_9();
    wait_until("it is not ready", || {
        ask(service, listen, &["--ready"]).0 == 1
    });
    expect_unhealthy(service, listen, &["--ready"], "/readyz: answered 503");
    assert_eq!(ask(service, listen, &[]), well());
}

#[test]
fn a_service_that_does_not_answer_is_given_up_in_time() {
    for service in Service::all() {
        let mut running = Parts::Embedded.start(service);
        let listen = running.base_url().trim_start_matches("http://").to_owned();
        running.process().pause();
        let began = Instant::now();
        expect_unhealthy(service, &listen, &[], "/healthz: no answer within 3s");
        assert!(began.elapsed() < GIVEN_UP_WITHIN, "{:?}", began.elapsed());
        running.process().resume();
        running.process().kill_9();
        expect_unhealthy(service, &listen, &[], &format!("http://{listen}/healthz: "));
    }
}

#[test]
fn one_that_drips_does_not_gain_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = listener.local_addr().unwrap().to_string();
    let drip = |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 1024]);
        while stream.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    };
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || drip(stream.unwrap()));
        }
    });
    let began = Instant::now();
    expect_unhealthy(Service::WriteThrough, &listen, &[], "no answer within 3s");
    assert!(began.elapsed() < GIVEN_UP_WITHIN, "{:?}", began.elapsed());
}

#[test]
fn a_healthcheck_without_a_known_port_is_a_bad_setting() {
    for service in Service::all() {
        let (code, said) = ask(service, "127.0.0.1:0", &[]);
        assert_eq!(code, 64);
        assert!(said.contains("LISTEN"), "{said}");
        let (code, said) = ask(service, "sesame", &[]);
        assert_eq!((code, said.contains("sesame")), (64, false), "{said}");
        let (code, _) = ask(service, "127.0.0.1:1", &["--nonsense"]);
        assert_eq!(code, 64);
    }
}
