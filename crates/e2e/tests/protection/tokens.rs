//! Tokens: which are taken, and the file that they are in.

use std::fs;
use std::os::unix::fs::symlink;

use testkit::service::{Service, run_to_end};
use testkit::wait::wait_until;
use testkit::wire;

use crate::site::{Site, Token, file_of};

#[test]
fn only_one_known_bearer_token_is_taken() {
    let site = Site::start(Service::WriteThrough, &[("LOG", "info,cache_http=debug")]);
    let known = format!("Bearer {}", site.reader.text);
    let unknown = Token::make("admin", "other").text;
    let oversize = format!("Bearer {}", "a".repeat(50_000));
    let other = if known.ends_with('0') { '1' } else { '0' };
    let close = format!("{}{other}", &known[..known.len() - 1]);
    let realm = r#"Bearer realm="write-cache""#;
    for (values, status, challenge) in [
        (vec![], 401, realm.to_owned()),
        (vec!["Basic cmVhZGVyOng=".to_owned()], 401, realm.to_owned()),
        (vec![site.reader.text.clone()], 401, realm.to_owned()),
        (vec!["Bearer".to_owned()], 401, realm.to_owned()),
        (
            vec![format!("Bearer {unknown}")],
            401,
            format!("{realm}, error=\"invalid_token\""),
        ),
        (
            vec![close],
            401,
            format!("{realm}, error=\"invalid_token\""),
        ),
        (
            vec![oversize],
            401,
            format!("{realm}, error=\"invalid_token\""),
        ),
        (
            vec![known.clone(), known.clone()],
            400,
            format!("{realm}, error=\"invalid_request\""),
        ),
        (vec![known.replace("Bearer", "bearer")], 200, String::new()),
    ] {
        let headers: Vec<_> = values
            .iter()
            .map(|value| ("Authorization", value.as_str()))
            .collect();
        let request = wire::request("GET", b"/users", &headers, None);
        let answer = wire::send(site.process.base_url(), &request);
        let said = answer.header("WWW-Authenticate").unwrap_or_default();
        assert_eq!((answer.status, said), (status, challenge.as_str()));
    }
    let refused = site.ask("DELETE", "/cache", Some(&site.writer));
    assert_eq!(
        refused.header("WWW-Authenticate").unwrap(),
        format!("{realm}, error=\"insufficient_scope\", scope=\"admin\"")
    );
    assert_eq!(refused.json()["type"], "/problems/insufficient-right");

    // What anyone hears of the backends, and what the log has.
    let ready = site.ask("GET", "/readyz", None).json();
    assert_eq!(ready.as_object().unwrap().len(), 2, "{ready}");
    let ready = site.ask("GET", "/readyz", Some(&site.reader)).json();
    assert!(ready["parts"].is_object(), "{ready}");
    assert_eq!(site.ask("DELETE", "/cache", Some(&site.admin)).status, 204);
    wait_until("the log names who has called", || {
        let logs = site.process.logs();
        let audit = logs.lines().find(|line| line.contains("admin call"));
        audit.is_some_and(|line| line.contains("the-admin-one")) && logs.contains("the-read-one")
    });
    let logs = site.process.logs();
    for token in [&site.reader, &site.writer, &site.admin] {
        assert!(!logs.contains(&token.text));
    }
}

#[test]
fn the_file_is_read_again_and_wrong_lines_leave_the_old_tokens() {
    let site = Site::start(Service::WriteThrough, &[]);
    let newcomer = Token::make("read", "newcomer");
    let status = |token| site.ask("GET", "/users", Some(token)).status;
    assert_eq!((status(&site.reader), status(&newcomer)), (200, 401));

    // In place, with a line that is wrong: the writer's line would be the only one.
    let secret = "wc_secret";
    fs::write(
        site.file(),
        format!("{}{secret} read x\n", file_of(&[&newcomer])),
    )
    .unwrap();
    wait_until("the wrong line is reported", || {
        site.warnings().contains("line 4")
    });
    assert!(!site.warnings().contains(secret));
    assert!(site.process.logs().contains("line 4"));
    assert!(!site.process.logs().contains(secret));
    assert_eq!((status(&site.reader), status(&newcomer)), (200, 401));

    // By a rename.
    let next = site.file().with_file_name("next");
    fs::write(&next, file_of(&[&site.reader, &newcomer])).unwrap();
    fs::rename(&next, site.file()).unwrap();
    wait_until("the new token is known", || status(&newcomer) == 200);
    assert_eq!((status(&site.reader), status(&site.writer)), (200, 401));
    assert_eq!(site.warnings(), "null");

    // By a link, as Kubernetes swaps it.
    fs::write(&next, file_of(&[&site.writer])).unwrap();
    let link = site.file().with_file_name("link");
    symlink(&next, &link).unwrap();
    fs::rename(&link, site.file()).unwrap();
    wait_until("the new token is unknown", || status(&newcomer) == 401);
    assert_eq!(status(&site.writer), 200);
}

#[test]
fn a_wrong_file_ends_a_start_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let token = Token::make("read", "a");
    let missing = folder.path().join("missing");
    fs::write(&file, format!("{}sesame read x\n", file_of(&[&token]))).unwrap();
    for (path, reason) in [
        (&file, "AUTH_TOKENS_FILE: line 4: "),
        (&missing, "AUTH_TOKENS_FILE"),
    ] {
        let mut command = Service::WriteBehind.command();
        command
            .current_dir(&folder)
            .env("LISTEN", "127.0.0.1:0")
            .env("AUTH_TOKENS_FILE", path);
        let ended = run_to_end(&mut command);
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(64), "{said}");
        assert!(said.contains(reason) && !said.contains("sesame"), "{said}");
    }
    let mut command = Service::WriteBehind.command();
    let refused = run_to_end(command.args(["token", "read", "two words"]));
    assert_eq!(refused.status.code(), Some(64));
}

#[test]
fn the_healthcheck_needs_no_token() {
    let site = Site::start(Service::WriteBehind, &[]);
    let listen = site.process.base_url().trim_start_matches("http://");
    for more in [[].as_slice(), &["--ready"]] {
        let mut command = Service::WriteBehind.command();
        command.arg("healthcheck").args(more).env("LISTEN", listen);
        assert!(run_to_end(&mut command).status.success());
    }
}
