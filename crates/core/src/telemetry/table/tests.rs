use std::collections::BTreeSet;
use std::fmt::Write as _;

use testkit::generated_page::expect_current;

use super::*;

/// What all names begin with, except those that every Prometheus client has for its process.
const PREFIX: &str = "write_cache_";
const PROCESS: &str = "process_";
/// What the last word of a name without a unit may be: what is counted, or a state.
const COUNTED: &[&str] = &[
    "bypassed",
    "connections",
    "entries",
    "fds",
    "flight",
    "held",
    "info",
    "letters",
    "max",
    "names",
    "refused",
    "size",
    "threads",
    "up",
    "waiting",
];

fn text() -> String {
    let mut text = include_str!("metrics.md").to_owned();
    for section in SECTIONS {
        write!(text, "\n## {}\n\n", section.title).unwrap();
        text += "| metric | type | labels | meaning |\n|---|---|---|---|\n";
        for metric in section.metrics {
            let (name, kind) = (metric.name, metric.kind.as_str());
            let labels: Vec<String> = metric.labels.iter().map(|l| format!("`{l}`")).collect();
            let (labels, meaning) = (labels.join(", "), metric.meaning);
            writeln!(text, "| `{name}` | {kind} | {labels} | {meaning} |").unwrap();
        }
    }
    text
}

#[test]
fn docs_metrics_lists_every_metric_with_its_meaning() {
    let update = "UPDATE_DOCUMENTS=1 cargo test -p cache-core --lib telemetry::table";
    expect_current("metrics.md", &text(), update);
}

#[test]
fn names_follow_the_rules_of_prometheus() {
    let mut names = BTreeSet::new();
    for metric in all() {
        let name = metric.name;
        assert!(names.insert(name), "{name}: twice");
        let is_of_us = name.starts_with(PREFIX) || name.starts_with(PROCESS);
        assert!(is_of_us, "{name}: without its prefix");
        let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.chars().all(is_plain) && !name.contains("__"), "{name}");
        let is_total = name.ends_with("_total");
        assert_eq!(is_total, metric.kind == Kind::Counter, "{name}: _total");
        for kind in [
            "counter",
            "gauge",
            "histogram",
            "bucket",
            "sum",
            "count",
            "per",
        ] {
            assert!(!name.split('_').any(|word| word == kind), "{name}: {kind}");
        }
        for unit in ["ms", "us", "milliseconds", "minutes", "kb", "mb", "percent"] {
            assert!(!name.split('_').any(|word| word == unit), "{name}: {unit}");
        }
        let last = name.rsplit('_').next().unwrap();
        let has_unit = unit(name).is_some() || is_total || COUNTED.contains(&last);
        assert!(has_unit, "{name}: neither a unit nor what is counted");
        assert!(metric.meaning.ends_with('.'), "{name}: {}", metric.meaning);
        for label in metric.labels {
            assert!(label.chars().all(is_plain), "{name}: {label}");
            assert!(
                !name.split('_').any(|word| word == *label),
                "{name}: {label}"
            );
        }
    }
}
