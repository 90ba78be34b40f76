//! Ctrl-C.

use std::time::{Duration, Instant};

use rustix::process::Signal;

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
    tool.wait_for("write-through: ");
    let began = Instant::now();
    tool.send(Signal::INT);
    let ended = tool.end();
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert_eq!(ended.report["interrupted"], true);
    let service = ended.service("write-through");
    assert!(service["due"].as_u64().unwrap() > 0, "{service}");
    assert_eq!(service["check"]["lost"], 0, "{service}");
    // The database was away, and is back long before that was due.
    assert!(
        service["fault"]["until_s"].as_f64().unwrap() < 60.0,
        "{service}"
    );
    assert!(ended.report["ceiling"].is_null());
    assert_eq!(ended.report["services"].as_array().unwrap().len(), 1);
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
    assert_eq!(ended.report["services"], serde_json::json!([]));
    let warnings = ended.report["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(!ended.html.is_empty());
    assert_eq!(ended.left_behind(), [""; 0]);
}
