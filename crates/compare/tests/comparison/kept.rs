//! Services that keep what they promise, on embedded parts.

use crate::tool::{compare, number};

const SHORT: &[&str] = &[
    "--no-build",
    "--duration",
    "3",
    "--rate",
    "400",
    "--names",
    "300",
    "--connections",
    "16",
];

#[test]
fn both_patterns_are_measured_by_the_same_workload_and_nothing_is_lost() {
    let ended = compare(SHORT).well();
    for pattern in ["write-through", "write-behind"] {
        let service = ended.service(pattern);
        let check = &service["check"];
        assert_eq!(check["lost"], 0, "{service}");
        assert_eq!(check["stale_reads"], 0, "{service}");
        assert_eq!(check["asked"], "database", "{service}");
        assert_eq!(check["names"], 300, "{service}");
        assert_eq!(service["due"], 1200, "{service}");
        assert_eq!(service["errors"].as_array().unwrap().len(), 0, "{service}");
        assert_eq!(number(&service["latency"]["count"]), 1200.0, "{service}");
        // The names are written once before, each.
        let operations = service["operations"].as_array().unwrap();
        assert_eq!(operations.len(), 3, "{service}");
        let acknowledged = number(&check["acknowledged"]);
        assert!(acknowledged > 300.0 + 600.0, "{service}");
        let database = &service["database"];
        assert_eq!(database["counted_by"], "the service");
        let rows = number(&database["rows"]);
        assert!(rows > 0.0 && rows <= acknowledged - 300.0, "{service}");
        let rows_per_write = number(&database["rows_per_write"]);
        let expected = rows / (acknowledged - 300.0);
        assert!((rows_per_write - expected).abs() < 0.01, "{service}");
        let slices = service["timeline"].as_array().unwrap();
        assert!(
            slices
                .iter()
                .any(|slice| slice["database_rows_per_second"].is_number()),
            "{service}"
        );
        assert!(number(&service["cache"]["hits"]) > 0.0, "{service}");
        let cpu = service["processes"].as_array().unwrap();
        assert!(
            cpu.iter().any(|process| process["process"] == "service"),
            "{service}"
        );
    }
    // What goes through the one goes through the other, but for what a busy machine did not
    // get round to send.
    let counts = |pattern| {
        let service = ended.service(pattern);
        let operations = service["operations"].as_array().unwrap();
        let count = |one: &serde_json::Value| (one["operation"].clone(), number(&one["succeeded"]));
        let counts: Vec<_> = operations.iter().map(count).collect();
        let unsent = number(&service["unsent"]);
        let succeeded: f64 = counts.iter().map(|(_, count)| count).sum();
        assert_eq!(succeeded + unsent, 1200.0, "{service}");
        (counts, unsent)
    };
    let (through, through_unsent) = counts("write-through");
    let (behind, behind_unsent) = counts("write-behind");
    for (one, other) in through.iter().zip(&behind) {
        assert_eq!(one.0, other.0);
        let apart = (one.1 - other.1).abs();
        assert!(
            apart <= through_unsent.max(behind_unsent),
            "{one:?} {other:?}"
        );
    }

    let behind = ended.service("write-behind");
    assert!(number(&behind["commit_lag"]["count"]) > 0.0, "{behind}");
    assert!(number(&behind["settled_after_s"]) > 0.0, "{behind}");
    assert!(behind["journal"].is_object(), "{behind}");
    assert!(ended.service("write-through")["journal"].is_null());
    assert!(number(&ended.report["ceiling"]["requests_per_second"]) > 0.0);
    assert!(!ended.report["findings"].as_array().unwrap().is_empty());
    assert!(ended.html.starts_with("<!"), "{}", ended.html);
    // The table, and what it says in sentences.
    let says = ended.stdout.split_once("What this says");
    let (table, sentences) = says.unwrap_or_else(|| panic!("{}", ended.stdout));
    for pattern in ["write-through", "write-behind"] {
        assert!(table.contains(pattern), "{table}");
    }
    for file in ["report.json", "report.html"] {
        assert!(sentences.contains(file), "{sentences}");
    }
    assert_eq!(ended.left_behind(), [""; 0]);
}

#[test]
fn a_database_that_cannot_be_written_holds_up_the_writers_of_write_through_only() {
    let ended = compare(&[
        "--no-build",
        "--no-ceiling",
        "--duration",
        "6",
        "--rate",
        "200",
        "--names",
        "200",
        "--reads",
        "0",
        "--outage",
        "--fault-from",
        "2",
        // So that the journal has something left when the workload ends.
        "--fault-until",
        "6",
    ])
    .well();
    let stalled = |pattern| {
        let slices = ended.service(pattern)["timeline"]
            .as_array()
            .unwrap()
            .clone();
        let within = slices.iter().filter(|slice| {
            let at_s = number(&slice["at_s"]);
            (2.25..3.5).contains(&at_s)
        });
        within
            .map(|slice| number(&slice["per_second"]))
            .sum::<f64>()
            == 0.0
    };
    assert!(
        stalled("write-through"),
        "{}",
        ended.service("write-through")
    );
    assert!(
        !stalled("write-behind"),
        "{}",
        ended.service("write-behind")
    );
    for pattern in ["write-through", "write-behind"] {
        let service = ended.service(pattern);
        let fault = &service["fault"];
        assert!(number(&fault["from_s"]) >= 2.0, "{fault}");
        assert!(number(&fault["until_s"]) >= 6.0, "{fault}");
        assert_eq!(service["check"]["lost"], 0, "{service}");
    }
    // Longer than from the middle of the outage to its end.
    let longest = number(&ended.service("write-through")["latency"]["max_ms"]);
    assert!(longest > 1000.0, "{longest}");
    let waited = number(&ended.service("write-behind")["journal"]["age_s"]);
    assert!(waited > 1.0, "{waited}");
}
