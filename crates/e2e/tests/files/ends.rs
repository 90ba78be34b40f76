//! An import that ends before its file does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use testkit::service::Service;

use crate::site::Site;

#[test]
fn an_interrupted_import_says_where_to_go_on() {
    let site = Site::new(Service::WriteBehind);
    let user = |number: usize| {
        format!("{{\"name\":\"user {number:05}\",\"age\":1,\"occupation\":\"x\"}}\n")
    };
    let users: String = (2..=2500).map(user).collect();
    let mut import = site
        .command(&["import", "-", "--format", "ndjson"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = import.stdin.take().unwrap();
    let mut said = BufReader::new(import.stderr.take().unwrap()).lines();
    input
        .write_all(format!("nonsense\n{users}").as_bytes())
        .unwrap();
    // The first part is being written, and the second one lacks its end.
    while !said.next().unwrap().unwrap().starts_with("line 1: ") {}
    kill_process(Pid::from_child(&import), Signal::INT).unwrap();
    let mut out = String::new();
    import
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    assert_eq!(import.wait().unwrap().code(), Some(1));
    assert!(
        out.contains("1999 users written, 0 deleted, 1 lines refused"),
        "{out}"
    );
    assert!(out.contains("--skip 2000"), "{out}");
    drop(input);

    assert_eq!(site.export().lines().count(), 1999);
    let file = site.file("users.ndjson", format!("nonsense\n{users}"));
    let ended = site.import(0, &[&file, "--skip", "2000"]);
    assert!(ended.out.starts_with("500 users written"), "{}", ended.out);
    assert_eq!(site.export(), users);
}
