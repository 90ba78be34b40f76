//! Being told to stop: at any moment, and in the time that the settings give.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::service::{Service, ServiceProcess};
use testkit::wait::wait_until;

use crate::api::{Api, record};

const WAIT_TIMEOUT: Duration = Duration::from_secs(10);

fn terminate(process: &Child) {
    let sent = Command::new("kill").arg(process.id().to_string()).status();
    assert!(sent.unwrap().success());
}

/// Starts the service past `ServiceProcess`, which waits until it listens and keeps reading its log.
fn spawn(service: Service, folder: &TempDir, env: (&str, &str)) -> Child {
    service
        .command()
        .current_dir(folder.path())
        .env("LISTEN", "127.0.0.1:0")
        .env(env.0, env.1)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The exit code, within [`WAIT_TIMEOUT`].
fn exit_code(process: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + WAIT_TIMEOUT;
    loop {
        if let Some(status) = process.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() > deadline {
            process.kill().unwrap();
            process.wait().unwrap();
            panic!("still running");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_service_that_waits_for_its_database_stops_when_it_is_told_to() {
    for service in Service::all() {
        let folder = TempDir::new().unwrap();
        // Nothing listens on port 1.
        let nowhere = ("DATABASE_URL", "mysql://root:root@127.0.0.1:1/users");
        let mut process = spawn(service, &folder, nowhere);
        // Its first complaint says that it waits.
        let mut complaint = [0; 1];
        let mut stderr = process.stderr.take().unwrap();
        stderr.read_exact(&mut complaint).unwrap();
        let drained = thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        terminate(&process);
        assert_eq!(exit_code(&mut process), Some(0), "{}", service.name());
        drained.join().unwrap().unwrap();
    }
}

#[test]
fn a_service_that_has_just_begun_to_listen_stops_when_it_is_told_to() {
    for service in Service::all() {
        for _ in 0..5 {
            let mut process = ServiceProcess::start(service, &[]);
            let status = process.terminate();
            assert!(status.success(), "{status}: {}", process.logs());
        }
    }
}

/// A request of which the head was read and the body never comes.
fn unfinished_request(service: Service, process: &ServiceProcess) -> TcpStream {
    let address = process.base_url().trim_start_matches("http://");
    let mut client = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        service.write_path()
    );
    client.write_all(head.as_bytes()).unwrap();
    // Answered after the head above was read, as the workers are told of connections in turn.
    for _ in 0..8 {
        assert_eq!(process.client().get("/healthz").status, 200);
    }
    client
}

#[test]
fn a_client_that_never_ends_its_request_does_not_hold_up_a_stop() {
    for service in Service::all() {
        let mut process = ServiceProcess::start(service, &[("SHUTDOWN_DEADLINE_S", "2")]);
        let api = Api::at(service, process.base_url());
        api.must_write(&record("kept", 30, "Engineer"));
        let _client = unfinished_request(service, &process);
        let began = Instant::now();
        let status = process.terminate();
        let took = began.elapsed();
        assert!(status.success(), "{status}: {}", process.logs());
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
}

/// A second Ctrl-C does not wait for what the first one waits for.
#[test]
fn a_second_interrupt_ends_a_stop_at_once() {
    for service in Service::all() {
        let mut process = ServiceProcess::start(service, &[("SHUTDOWN_DEADLINE_S", "600")]);
        let _client = unfinished_request(service, &process);
        process.begin_to_terminate();
        wait_until("it stops", || process.logs().contains("stopping"));
        assert!(process.exit_status_now().is_none());
        let status = process.interrupt();
        assert!(status.success(), "{status}: {}", process.logs());
        assert!(process.logs().contains("cut off"), "{}", process.logs());
    }
}

#[test]
fn the_end_of_a_terminal_stops_a_service_cleanly() {
    for service in Service::all() {
        let mut process = ServiceProcess::start(service, &[]);
        Api::at(service, process.base_url()).must_write(&record("kept", 30, "Engineer"));
        let status = process.hang_up();
        assert!(status.success(), "{status}: {}", process.logs());
        assert!(process.logs().contains("SIGHUP"), "{}", process.logs());
    }
}

/// As `nohup` starts a program.
#[test]
fn a_service_that_was_started_to_ignore_the_end_of_a_terminal_does() {
    for service in Service::all() {
        let folder = TempDir::new().unwrap();
        let plain = service.command();
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' HUP; exec \"$0\""])
            .arg(plain.get_program())
            .envs(
                plain
                    .get_envs()
                    .filter_map(|(key, value)| Some((key, value?))),
            )
            .env("LISTEN", "127.0.0.1:0")
            .current_dir(folder.path());
        let mut process = ServiceProcess::spawn(command);
        let hung_up = Command::new("kill")
            .arg("-HUP")
            .arg(process.id().to_string())
            .status();
        assert!(hung_up.unwrap().success());
        let status = process.terminate();
        assert!(status.success(), "{status}: {}", process.logs());
        assert!(!process.logs().contains("SIGHUP"), "{}", process.logs());
    }
}

#[test]
fn connections_without_a_request_do_not_hold_up_a_stop() {
    for service in Service::all() {
        let mut process = ServiceProcess::start(service, &[("SHUTDOWN_DEADLINE_S", "60")]);
        let address = process.base_url().trim_start_matches("http://").to_owned();
        let _unused = TcpStream::connect(&address).unwrap();
        let mut used = TcpStream::connect(&address).unwrap();
        used.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        assert!(used.read(&mut [0; 1024]).unwrap() > 0);
        let status = process.terminate();
        assert!(status.success(), "{status}: {}", process.logs());
        assert!(!process.logs().contains("cut off"), "{}", process.logs());
    }
}

/// As a log collector that dies: every line that is logged from then on fails.
#[test]
fn an_unread_log_stops_nothing() {
    for service in Service::all() {
        let folder = TempDir::new().unwrap();
        let mut process = spawn(service, &folder, ("LOG", "trace"));
        drop(process.stderr.take());
        let mut announced = String::new();
        let mut stdout = std::io::BufReader::new(process.stdout.take().unwrap());
        while !announced.contains("try") {
            let read = std::io::BufRead::read_line(&mut stdout, &mut announced).unwrap();
            assert!(read > 0, "{} ended: {announced}", service.name());
        }
        let address = announced
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        let api = Api::at(service, address.unwrap());
        api.must_write(&record("kept", 30, "Engineer"));
        api.settle();
        assert_eq!(api.all_users(10).len(), 1, "it was drained");
        terminate(&process);
        assert_eq!(exit_code(&mut process), Some(0), "{}", service.name());
    }
}
