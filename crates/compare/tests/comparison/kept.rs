//! Services that keep what they promise, on embedded parts; and handlers that do not.

use serde_json::Value;

use crate::tool::{compare, number};

#[test]
fn both_patterns_are_measured_by_the_same_workload_and_nothing_is_lost() {
    let words =
        "--no-build --duration 2 --rate 400 --names 300 --connections 16 --repeat 2 --details";
    let ended = compare(&words.split(' ').collect::<Vec<&str>>()).well();
    let order: Vec<&Value> = ended.runs().iter().map(|run| &run["pattern"]).collect();
    // They take turns.
    assert_eq!(
        order,
        [
            "write-through",
            "write-behind",
            "write-behind",
            "write-through"
        ]
    );
    for service in ended.runs() {
        let check = &service["check"];
        assert_eq!(check["lost"], 0, "{service}");
        assert_eq!(check["stale_reads"], 0, "{service}");
        assert_eq!(check["asked"], "database", "{service}");
        assert_eq!(check["names"], 300, "{service}");
        assert_eq!(service["due"], 800, "{service}");
        assert_eq!(service["errors"].as_array().unwrap().len(), 0, "{service}");
        assert_eq!(number(&service["latency"]["count"]), 800.0, "{service}");
        let operations = service["operations"].as_array().unwrap();
        let succeeded: f64 = operations.iter().map(|one| number(&one["succeeded"])).sum();
        assert_eq!(succeeded + number(&service["unsent"]), 800.0, "{service}");
        let slices = service["timeline"].as_array().unwrap();
        let due: f64 = slices.iter().map(|slice| number(&slice["due"])).sum();
        assert_eq!((slices.len(), due), (8, 800.0), "{service}");
        // The names are written once before, each.
        let acknowledged = number(&service["acknowledged"]);
        let rows = number(&service["database"]["rows"]);
        assert!(rows > 0.0 && rows <= acknowledged, "{service}");
        assert_eq!(service["database"]["counted_by"], "the service");
        assert!(number(&service["cache"]["hits"]) > 0.0, "{service}");
        let used = service["processes"].as_array().unwrap();
        assert!(
            used.iter().any(|process| process["process"] == "service"),
            "{service}"
        );
    }
    let behind = ended.service("write-behind");
    assert!(
        behind["commit_lag"].is_object() && behind["journal"].is_object(),
        "{behind}"
    );
    assert!(ended.service("write-through")["journal"].is_null());
    assert!(number(&ended.report["ceiling"]["requests_per_second"]) > 0.0);
    let printed = &ended.stdout;
    let says = [
        "\nTake ",
        "write-through   write-behind",
        "reads answered by the cache",
        "report.html",
    ];
    for text in says {
        assert!(printed.contains(text), "{text}: {printed}");
    }
    assert!(ended.html.starts_with("<!doctype html>"), "{}", ended.html);
    assert_eq!(ended.left_behind(), [""; 0]);
}

#[test]
fn an_outage_holds_up_write_through_and_plain_handlers_lose_what_they_acknowledged() {
    let words = "--no-build --no-ceiling --duration 5 --rate 200 --names 200 --reads 0.3 --outage --fault-from 1.5 \
                 --fault-until 4 --baseline";
    let ended = compare(&words.split_whitespace().collect::<Vec<&str>>()).well();
    let meanwhile = |pattern: &str| {
        let slices = ended.service(pattern)["timeline"]
            .as_array()
            .unwrap()
            .clone();
        let within = slices.iter().filter(|slice| {
            let at_s = number(&slice["at_s"]);
            (1.75..2.75).contains(&at_s)
        });
        let sum = |what: &str| {
            within
                .clone()
                .map(|slice| number(&slice[what]))
                .sum::<f64>()
        };
        (sum("in_time"), sum("due"))
    };
    // Its reads are answered, since they do not wait in the tool behind its writes.
    let (in_time, due) = meanwhile("write-through");
    assert!(
        in_time > 0.15 * due && in_time < 0.5 * due,
        "{in_time} of {due}"
    );
    let (in_time, due) = meanwhile("write-behind");
    assert_eq!((in_time, due), (200.0, 200.0));
    for pattern in ["write-through", "write-behind"] {
        let service = ended.service(pattern);
        assert!(number(&service["fault"]["from_s"]) >= 1.5, "{service}");
        assert_eq!(service["check"]["lost"], 0, "{service}");
    }
    let waited = number(&ended.service("write-behind")["journal"]["age_s"]);
    assert!((1.0..60.0).contains(&waited), "{waited}");
    for pattern in ["naive-through", "naive-behind"] {
        let service = ended.service(pattern);
        assert_eq!(service["errors"].as_array().unwrap().len(), 0, "{service}");
        assert!(number(&service["check"]["lost"]) > 10.0, "{service}");
        assert!(
            ended.stdout.contains(&format!("{pattern} LOST DATA")),
            "{}",
            ended.stdout
        );
    }
    assert_eq!(ended.left_behind(), [""; 0]);
}
