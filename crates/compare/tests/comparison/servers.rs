//! On a real Redis and a real MySQL or MariaDB.

use testkit::servers::{mysql_url, redis_url};

use crate::tool::{compare, number};

#[test]
#[ignore = "needs servers"]
fn write_behind_goes_on_in_an_outage_of_the_database() {
    let (redis, mysql) = (redis_url(), mysql_url());
    let ended = compare(&[
        "--no-build",
        "--no-ceiling",
        "--duration",
        "9",
        "--rate",
        "200",
        "--names",
        "200",
        "--reads",
        "0.1",
        "--outage",
        "--fault-from",
        "2",
        "--fault-until",
        "5",
        "--cache",
        &redis,
        "--database",
        &mysql,
    ])
    .well();
    let failed = |pattern| {
        let errors = ended.service(pattern)["errors"].as_array().unwrap().clone();
        errors
            .iter()
            .map(|error| number(&error["count"]))
            .sum::<f64>()
    };
    assert_eq!(
        failed("write-behind"),
        0.0,
        "{}",
        ended.service("write-behind")
    );
    assert!(
        failed("write-through") > 0.0,
        "{}",
        ended.service("write-through")
    );
    for pattern in ["write-through", "write-behind"] {
        let service = ended.service(pattern);
        let check = &service["check"];
        assert_eq!(check["asked"], "database", "{check}");
        assert_eq!(check["lost"], 0, "{check}");
        assert_eq!(check["stale_reads"], 0, "{check}");
        assert_eq!(service["database"]["counted_by"], "the server", "{service}");
        assert!(number(&service["database"]["rows"]) > 0.0, "{service}");
        let used = service["processes"].as_array().unwrap();
        for process in ["service", "Redis", "database", "compare"] {
            assert!(
                used.iter().any(|one| one["process"] == process),
                "{process}: {service}"
            );
        }
    }
    assert!(number(&ended.service("write-behind")["journal"]["depth"]) > 100.0);
    let password = mysql.split(['@', ':']).nth(2).unwrap();
    assert_eq!(password, "root");
    assert!(
        !ended.report["command"]
            .as_str()
            .unwrap()
            .contains("root:root")
    );
    assert!(!ended.html.contains("root:root"));
}
