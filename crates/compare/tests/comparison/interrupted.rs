//! Ctrl-C, and other signals to stop.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, test_kill_process};
use testkit::servers::{TestDatabase, mysql_url, redis_url};
use testkit::wait::wait_until;

use crate::tool::Tool;

#[test]
fn what_was_done_until_ctrl_c_is_reported() {
    let mut tool = Tool::start(&[
        "--no-build",
        "--no-ceiling",
        "--duration",
        "600",
        "--rate",
        "100",
        "--names",
        "50",
        "--outage",
        "--fault-from",
        "0.1",
        "--fault-until",
        "590",
    ]);
    tool.wait_for("write-through, 1 of 1, 5 s");
    let began = Instant::now();
    tool.send(Signal::INT);
    let ended = tool.end();
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert_eq!(ended.report["interrupted"], true);
    let service = ended.service("write-through");
    assert!(service["due"].as_u64().unwrap() > 0, "{service}");
    assert_eq!(service["check"]["lost"], 0, "{service}");
    // The database was unavailable, and is back long before that was due.
    assert!(
        service["fault"]["until_s"].as_f64().unwrap() < 60.0,
        "{service}"
    );
    assert!(ended.report["ceiling"].is_null());
    assert_eq!(ended.runs().len(), 1);
    assert!(!ended.html.is_empty());
    assert_eq!(ended.left_behind(), [""; 0]);
}

#[test]
fn ctrl_c_before_any_service_is_measured_says_so_and_nothing_else() {
    let mut tool = Tool::start(&["--no-build", "--duration", "600"]);
    tool.wait_for("measuring what this tool itself can drive");
    tool.send(Signal::INT);
    let ended = tool.end();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert_eq!(ended.report["interrupted"], true);
    assert!(ended.report["ceiling"].is_null(), "{}", ended.report);
    assert!(ended.runs().is_empty());
    let warnings = ended.report["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(!ended.html.is_empty());
    assert_eq!(ended.left_behind(), [""; 0]);
}

/// It goes on for far longer than any test.
const LONG: &[&str] = &[
    "--no-build",
    "--duration",
    "600",
    "--rate",
    "100",
    "--names",
    "50",
];

fn is_there(pid: u32) -> bool {
    test_kill_process(Pid::from_raw(pid as i32).unwrap()).is_ok()
}

#[test]
fn a_terminal_that_is_closed_ends_it_in_order_also_when_it_says_so_twice() {
    let mut tool = Tool::start(&[LONG, &["--no-ceiling"]].concat());
    tool.wait_for("write-through, 1 of 1, 5 s");
    let children = tool.children();
    assert_eq!(children.len(), 1, "{children:?}");
    tool.send(Signal::HUP);
    tool.wait_for("once more");
    tool.send(Signal::HUP);
    let ended = tool.end();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert_eq!(ended.report["interrupted"], true, "{}", ended.stderr);
    assert_eq!(ended.left_behind(), [""; 0]);
    assert!(!is_there(children[0]));
}

#[test]
fn the_second_ctrl_c_ends_it_at_once_with_all_that_it_has_started() {
    let mut tool = Tool::start(&[LONG, &["--no-ceiling"]].concat());
    tool.wait_for("write-through, 1 of 1, 5 s");
    let children = tool.children();
    assert_eq!(children.len(), 1, "{children:?}");
    // It cannot end in order: the service does not.
    let service = Pid::from_raw(children[0] as i32).unwrap();
    rustix::process::kill_process(service, Signal::STOP).unwrap();
    tool.send(Signal::INT);
    tool.wait_for("once more");
    tool.send(Signal::INT);
    let ended = tool.end();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert!(ended.report.is_null());
    assert!(!is_there(children[0]));
    assert_eq!(ended.left_behind(), [""; 0]);
}

#[test]
#[ignore = "needs servers"]
fn what_the_second_ctrl_c_leaves_on_servers_is_named() {
    let (redis, mysql) = (redis_url(), mysql_url());
    let servers = ["--no-ceiling", "--cache", &redis, "--database", &mysql];
    let mut tool = Tool::start(&[LONG, &servers].concat());
    tool.wait_for("write-through, 1 of 1, 5 s");
    let children = tool.children();
    let service = Pid::from_raw(children[0] as i32).unwrap();
    rustix::process::kill_process(service, Signal::STOP).unwrap();
    tool.send(Signal::INT);
    tool.wait_for("once more");
    tool.send(Signal::TERM);
    let ended = tool.end();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    let words: Vec<&str> = ended.stderr.split_whitespace().collect();
    let named: Vec<&&str> = words
        .iter()
        .filter(|word| word.starts_with("compare_wt_"))
        .collect();
    let [name] = named[..] else {
        panic!("{}", ended.stderr);
    };
    assert!(!ended.stderr.contains("root:root"), "{}", ended.stderr);
    let asking = TestDatabase::create();
    let left = asking.query_rows(&format!("SHOW DATABASES LIKE '{name}'"));
    assert_eq!(left.len(), 1, "{}", ended.stderr);
    asking.query_rows(&format!("DROP DATABASE `{name}`"));
}

#[test]
fn ctrl_c_in_a_terminal_while_the_ceiling_is_measured_is_no_failure_of_it() {
    let mut tool = Tool::start(LONG);
    tool.wait_for("measuring what this tool itself");
    wait_until("the service that does nothing runs", || {
        !tool.children().is_empty()
    });
    tool.send(Signal::INT);
    let ended = tool.end();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert_eq!(ended.report["interrupted"], true, "{}", ended.stderr);
}
