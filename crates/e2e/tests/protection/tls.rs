//! TLS to clients.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use testkit::certificates::{Authority, CertificateFiles, Validity};
use testkit::service::{Service, ServiceProcess, run_to_end};
use testkit::wait::wait_until;

use crate::tls_client::TlsClient;

/// Longer than a handshake may take.
const CLOSED_WITHIN: Duration = Duration::from_secs(40);

fn files(authority: &Authority) -> CertificateFiles {
    authority.server(&["localhost", "127.0.0.1"], Validity::Valid)
}

fn env(files: &CertificateFiles) -> [(&str, &str); 2] {
    let [certificate, key] = files.paths();
    [("TLS_CERT_FILE", certificate), ("TLS_KEY_FILE", key)]
}

#[test]
fn certificates_are_exchanged_under_open_connections() {
    let authority = Authority::new("CA");
    let in_use = files(&authority);
    let process = ServiceProcess::start(Service::WriteThrough, &env(&in_use));
    let url = process.base_url().to_owned();
    let open = || TlsClient::open(&url, &authority).unwrap();
    let mut first = open();
    assert!(first.get("/healthz").starts_with("HTTP/1.1 200"));
    let old = first.certificate();

    let next = files(&authority);
    next.copy_over(&in_use);
    wait_until("another certificate is shown", || {
        open().certificate() != old
    });
    assert!(first.get("/users").starts_with("HTTP/1.1 200"));
    let new = open().certificate();

    // A key of another certificate.
    let other = files(&authority);
    fs::copy(&other.key, &in_use.key).unwrap();
    let reason = "TLS_KEY_FILE: is not the key of the certificate in TLS_CERT_FILE";
    wait_until("the wrong key is reported", || {
        open().get("/readyz").contains(reason)
    });
    assert!(process.logs().contains("is not the key of the certificate"));
    assert_eq!(open().certificate(), new);
    fs::copy(&next.key, &in_use.key).unwrap();
    wait_until("the right key is taken", || {
        !open().get("/readyz").contains("warnings")
    });

    let listen = url.strip_prefix("https://").unwrap();
    for more in [[].as_slice(), &["--ready"]] {
        let mut command = Service::WriteThrough.command();
        command.arg("healthcheck").args(more).env("LISTEN", listen);
        let asked = run_to_end(command.envs(env(&in_use)));
        assert!(asked.status.success(), "{asked:?}");
    }

    let file = tempfile::NamedTempFile::with_suffix(".ndjson").unwrap();
    fs::write(&file, r#"{"name":"Ann","age":30,"occupation":"x"}"#).unwrap();
    let import = |ca_file: &[&str], trusted: &str| {
        let mut command = Service::WriteThrough.command();
        command.arg("import").arg(file.path()).args(["--to", &url]);
        command.args(ca_file).env("SSL_CERT_FILE", trusted);
        run_to_end(&mut command)
    };
    let another = Authority::new("another CA");
    let refused = import(&[], another.ca_file());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned()
        + &String::from_utf8_lossy(&refused.stdout);
    assert!(refused.status.code() == Some(1), "{said}");
    assert!(
        said.contains("UnknownIssuer") && said.contains("--ca-file"),
        "{said}"
    );
    assert!(open().get("/users").contains(r#""users":[]"#));
    for (ca_file, trusted) in [
        (
            ["--ca-file", authority.ca_file()].as_slice(),
            another.ca_file(),
        ),
        (&[], authority.ca_file()),
    ] {
        let imported = import(ca_file, trusted);
        assert!(imported.status.success(), "{imported:?}");
    }
    assert!(open().get("/users").contains(r#""name":"Ann""#));
}

#[test]
fn clients_that_speak_no_tls_are_closed() {
    let authority = Authority::new("CA");
    let in_use = files(&authority);
    let process = ServiceProcess::start(Service::WriteBehind, &env(&in_use));
    let address = process.base_url().strip_prefix("https://").unwrap();
    let connect = || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(CLOSED_WITHIN)).unwrap();
        stream
    };
    // One that says nothing, and one that stops in the middle.
    let silent = connect();
    let mut half = connect();
    half.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap();

    let mut plain = connect();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("use https"), "{answer}");

    let mut open = TlsClient::open(process.base_url(), &authority).unwrap();
    assert!(open.get("/healthz").starts_with("HTTP/1.1 200"));
    // Its own pages, and no others, have its scheme.
    let delete = |client: &mut TlsClient, origin| client.send("DELETE", "/users/a", origin);
    let own = delete(&mut open, "https://localhost");
    assert!(own.starts_with("HTTP/1.1 404"), "{own}");
    let foreign = delete(&mut open, "http://localhost");
    assert!(foreign.starts_with("HTTP/1.1 403"), "{foreign}");
    for mut stream in [silent, half] {
        let mut bytes = Vec::new();
        let closed = stream.read_to_end(&mut bytes);
        let timed_out = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        assert!(!closed.as_ref().is_err_and(timed_out), "{closed:?}");
    }
}

#[test]
fn files_that_cannot_be_used_end_a_start() {
    let authority = Authority::new("CA");
    let (one, other) = (files(&authority), files(&authority));
    let [certificate, key] = one.paths();
    let [_, other_key] = other.paths();
    for (env, reason) in [
        (
            vec![("TLS_CERT_FILE", certificate)],
            "TLS_CERT_FILE: only together with TLS_KEY_FILE",
        ),
        (
            vec![("TLS_KEY_FILE", key)],
            "TLS_KEY_FILE: only together with TLS_CERT_FILE",
        ),
        (
            vec![("TLS_CERT_FILE", certificate), ("TLS_KEY_FILE", other_key)],
            "TLS_KEY_FILE: is not the key of the certificate in TLS_CERT_FILE",
        ),
        (
            vec![("TLS_CERT_FILE", key), ("TLS_KEY_FILE", key)],
            "TLS_CERT_FILE: holds no certificate in PEM",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Service::WriteThrough.command();
        command.current_dir(&folder).env("LISTEN", "127.0.0.1:0");
        let ended = run_to_end(command.envs(env));
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(64), "{said}");
        assert!(said.contains(reason), "{said}");
    }
}
