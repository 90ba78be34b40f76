//! The log says what was started, and what an answered write survives.

use serde_json::Value;
use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::site::Site;

#[test]
#[ignore = "needs servers"]
fn a_start_is_one_event_in_both_formats() {
    for service in Service::all() {
        for format in ["text", "json"] {
            let site = Site::start_with(service, &[("LOG_FORMAT", format)]);
            let what = format!("{} is listening", service.name());
            wait_until("there is an event", || {
                !site.lines_with(&[&what]).is_empty()
            });
            let lines = site.lines_with(&[&what]);
            let [line] = &lines[..] else {
                panic!("{lines:?}");
            };
            let address = site.running.base_url().trim_start_matches("http://");
            assert!(line.contains(address), "{line}");
            assert!(!line.contains("app:app"), "{line}");
            if format == "json" {
                let event: Value = serde_json::from_str(line).unwrap();
                let fields = &event["fields"];
                assert_eq!(event["level"], "INFO");
                for key in ["version", "address", "cache", "database", "survives"] {
                    assert!(fields[key].is_string(), "{key}: {line}");
                }
                let has_journal = service == Service::WriteBehind;
                assert_eq!(fields["journal"].is_string(), has_journal, "{line}");
            }
        }
    }
}

#[test]
#[ignore = "needs servers"]
fn a_journal_that_does_not_survive_a_crash_is_a_warning() {
    for (append_only, lines) in [("no", 1), ("yes", 0)] {
        let options = ["--appendonly", append_only];
        let redis = OwnServer::redis_with(AppendFsync::EverySecond, &options);
        let site = Site::on(Service::WriteBehind, redis, &[]);
        wait_until("it has started", || {
            !site.lines_with(&["is listening"]).is_empty()
        });
        let warned = || site.lines_with(&["WARN", "may be lost when redis crashes"]);
        if lines > 0 {
            wait_until("it warns", || warned().len() == lines);
        }
        assert_eq!(warned().len(), lines);
    }
}
