//! The table fits its terminal, is aligned, and shows what is known.

use compare::report::table::text;
use compare::report::{Check, json};

use crate::samples::{all, named};

/// What is in the first row of that label.
pub(crate) fn cells(table: &str, label: &str) -> Vec<String> {
    let mut lines = table.lines().map(str::trim);
    let line = lines.find(|line| line.starts_with(&format!("{label} ")));
    let line = line.unwrap_or_default().replacen(label, "", 1);
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_table_has_a_column_for_each_service() {
    let table = text(&named("outage"), 80);
    let expected = [
        "                                 write-through  write-behind\n",
        "\nLatency, all (ms)\n  p50                                     1.60         0.700\n",
        "\n  longest                                 25.8          11.3\n",
        "\nFrom answer to commit (ms)\n  p50                                        0          24.0\n",
        "\nDatabase, counted by the service\n",
        "\n  rows a write                            1.00         0.310\n",
        "\n  entries waiting                            –         6,180\n",
        "\n  503 Service Unavailable                5,000             0\n",
        "\n  database: CPU (µs/request)               245          97.5\n",
        "\n  asked                           the database  the database\n",
        "\n  stale reads                                0             0\n",
    ];
    let table = format!("\n{table}");
    for lines in expected {
        assert!(table.contains(lines), "{lines:?} is not in{table}");
    }
}

#[test]
fn no_line_is_wider_than_the_terminal_and_all_columns_end_where_their_names_do() {
    for (name, report) in all() {
        let table = text(&report, 80);
        let head = table.lines().next().unwrap().chars().count();
        for line in table.lines() {
            let width = line.chars().count();
            assert!(width <= 80, "{name}: {line}");
            let is_row = line.starts_with("  ");
            assert!(!is_row || width == head, "{name}: {line}");
            assert!(!line.contains(char::is_control), "{name}: {line:?}");
        }
    }
}

#[test]
fn long_labels_are_shortened_on_a_narrow_terminal() {
    let table = text(&named("outage"), 50);
    assert!(
        table.lines().all(|line| line.chars().count() <= 50),
        "{table}"
    );
    assert!(table.contains("\n  503 Service Unavai…"), "{table}");
}

#[test]
fn what_was_lost_is_in_the_table_with_how_it_was_checked() {
    let mut report = named("steady");
    report.services[1].check = Some(Check {
        acknowledged: 9,
        names: 4,
        names_uncertain: 0,
        asked: "service",
        lost: 3,
        stale_reads: 2,
        examples: Vec::new(),
    });
    let table = text(&report, 80);
    assert_eq!(
        cells(&table, "asked"),
        ["the", "database", "the", "service"]
    );
    assert_eq!(cells(&table, "lost"), ["0", "3"]);
    assert_eq!(cells(&table, "stale reads"), ["0", "2"]);
}

#[test]
fn json_can_be_read_back_whatever_the_figures_are() {
    for (name, report) in all() {
        let text = json::text(&report);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        let services = read["services"].as_array().unwrap();
        assert_eq!(services.len(), report.services.len(), "{name}");
        assert_eq!(
            read["findings"].as_array().unwrap().len(),
            report.findings.len()
        );
    }
    let text = json::text(&named("outage"));
    assert!(text.contains("\"p99_ms\": 4.1,"), "{text}");
    assert!(text.contains("\"pattern\": \"write-behind\","), "{text}");
}
