//! What goes wrong on the way must not take away what was measured.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use testkit::wait::wait_until;

use crate::tool::Tool;

#[test]
fn a_service_that_is_killed_leaves_what_was_measured_of_it_and_of_the_other() {
    let mut tool = Tool::start(&[
        "--no-build",
        "--no-ceiling",
        "--duration",
        "8",
        "--rate",
        "100",
        "--names",
        "50",
    ]);
    tool.wait_for("write-behind, 1 of 1, 5 s");
    let children = tool.children();
    let [service] = children[..] else {
        panic!("not one service runs: {children:?}");
    };
    kill_process(Pid::from_raw(service as i32).unwrap(), Signal::KILL).unwrap();
    let ended = tool.end();
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert_eq!(ended.service("write-through")["check"]["lost"], 0);
    let killed = ended.service("write-behind");
    assert!(!killed["errors"].as_array().unwrap().is_empty(), "{killed}");
    assert!(
        killed["operations"][0]["succeeded"].as_f64().unwrap() > 0.0,
        "{killed}"
    );
    // The journal has what is missing in the database, so nothing can be said of a loss.
    assert!(killed["check"].is_null(), "{killed}");
    let warnings = ended.report["warnings"].to_string();
    assert!(warnings.contains("signal: 9"), "{warnings}");
    assert!(!ended.html.is_empty());
    assert_eq!(ended.left_behind(), [""; 0]);
}

#[test]
fn ctrl_c_while_the_names_are_written_ends_it_without_a_word_about_that_service() {
    let tool = Tool::start(&[
        "--no-build",
        "--no-ceiling",
        "--names",
        "3000000",
        "--duration",
        "600",
    ]);
    wait_until("the names are being written", || {
        size_of_largest(&tool.data_folder()) > 1 << 20
    });
    let began = Instant::now();
    tool.send(Signal::INT);
    let ended = tool.end();
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert!(ended.runs().is_empty());
    assert_eq!(ended.report["interrupted"], true);
    assert_eq!(ended.left_behind(), [""; 0]);
}

fn size_of_largest(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size_of_largest(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.max().unwrap_or(0)
}

#[test]
fn the_report_is_written_when_standard_output_is_closed() {
    let folder = TempDir::new().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args([
            "--no-build",
            "--no-ceiling",
            "--duration",
            "1",
            "--rate",
            "50",
            "--names",
            "20",
        ])
        .arg("--output")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert!(child.wait().unwrap().success());
    for name in ["report.json", "report.html"] {
        assert!(
            fs::metadata(folder.path().join(name)).unwrap().len() > 1000,
            "{name}"
        );
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_before_anything_is_measured() {
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(["--no-build", "--output", "/dev/null/x"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("/dev/null/x"), "{said}");
    assert!(!said.contains("measuring"), "{said}");
}
