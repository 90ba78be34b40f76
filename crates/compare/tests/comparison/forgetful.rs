//! Services that do not keep what they promise: the tool has to see it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::tool::{compare, number};

/// Acknowledges every write, and keeps one in four: the rest is forgotten.
#[derive(Default)]
struct Forgetful {
    name: &'static str,
    version: AtomicU64,
    /// Name, version and record.
    kept: Mutex<std::collections::HashMap<String, (u64, String)>>,
}

impl Forgetful {
    fn start(name: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = Arc::new(Forgetful {
            name,
            ..Forgetful::default()
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let service = service.clone();
                thread::spawn(move || service.serve(stream));
            }
        });
        url
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let request: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let mut length = 0;
            loop {
                let mut header = String::new();
                if reader.read_line(&mut header).unwrap_or(0) == 0 {
                    return;
                }
                if header == "\r\n" {
                    break;
                }
                let header = header.to_lowercase();
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_err() {
                return;
            }
            let answer = self.answer(&request[0], &request[1], &String::from_utf8(body).unwrap());
            if writer.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, method: &str, path: &str, body: &str) -> String {
        let mut kept = self.kept.lock().unwrap();
        let path = path.replace("%2D", "-");
        match (method, path.strip_prefix("/users/")) {
            ("GET", Some(name)) => match kept.get(name) {
                Some((version, record)) => with_version(200, *version, record),
                None => response("404 Not Found", "", ""),
            },
            ("DELETE", Some(name)) => {
                let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
                match kept.remove(name) {
                    Some(_) => with_version(204, version, ""),
                    None => response("404 Not Found", "", ""),
                }
            }
            ("POST", None) if path == format!("/{}", self.name) => {
                let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
                if version.is_multiple_of(4) {
                    let record: serde_json::Value = serde_json::from_str(body).unwrap();
                    let name = record["name"].as_str().unwrap().to_owned();
                    kept.insert(name, (version, body.to_owned()));
                }
                with_version(200, version, r#"{"message":"Data write successful!"}"#)
            }
            ("GET", None) if path == "/readyz" => response(
                "200 OK",
                "",
                &format!(r#"{{"service":"{}","status":"ready"}}"#, self.name),
            ),
            ("POST", None) => response("200 OK", "", "{}"),
            _ => response("404 Not Found", "", ""),
        }
    }
}

fn with_version(status: u16, version: u64, body: &str) -> String {
    let status = if status == 204 {
        "204 No Content"
    } else {
        "200 OK"
    };
    response(status, &format!("ETag: \"{version}\"\r\n"), body)
}

fn response(status: &str, headers: &str, body: &str) -> String {
    let length = if status.starts_with("204") {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    format!("HTTP/1.1 {status}\r\n{headers}{length}\r\n{body}")
}

#[test]
fn what_is_lost_and_what_is_read_too_old_is_counted_said_first_and_fails_the_run() {
    let through = Forgetful::start("write-through");
    let behind = Forgetful::start("write-behind");
    let ended = compare(&[
        "--write-through",
        &through,
        "--write-behind",
        &behind,
        "--no-ceiling",
        "--duration",
        "2",
        "--rate",
        "300",
        "--names",
        "100",
        "--deletes",
        "0",
    ]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    for pattern in ["write-through", "write-behind"] {
        let check = &ended.service(pattern)["check"];
        // Of a hundred names the last write is kept of about a quarter.
        assert!((50.0..95.0).contains(&number(&check["lost"])), "{check}");
        assert!(number(&check["stale_reads"]) > 10.0, "{check}");
        assert!(!check["examples"].as_array().unwrap().is_empty());
    }
    let first = ended.report["verdict"][0].as_str().unwrap();
    assert!(first.contains("LOST DATA"), "{first}");
}
