//! The settings of traces.

use std::fs;
use std::process::Output;

use tempfile::TempDir;
use testkit::parts::Parts;
use testkit::service::{Service, run_to_end};

use crate::collector::{Collector, Mood};
use crate::site::{AT_ONCE, put, spans_of_write, trace_id};

const BAD_SETTINGS: i32 = 64;

#[track_caller]
fn expect_refused(output: &Output, sentence: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(BAD_SETTINGS), "{said}");
    assert!(said.contains(sentence), "{sentence}: {said}");
    assert!(!said.contains("sesame"), "{said}");
}

#[test]
fn a_wrong_setting_ends_the_start_with_a_sentence() {
    const URL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT: must be the http:// or https:// URL of an OpenTelemetry collector, such as http://localhost:4318";
    const RATIO: &str = "OTEL_TRACES_SAMPLER_ARG: must be a number from 0 to 1, such as 0.05";
    const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS: must be NAME=VALUE, separated by commas";
    for service in Service::all() {
        for (key, value, sentence) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "sesame", URL),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", URL),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://sesame:4317", URL),
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "http://me:sesame@localhost:4318",
                "OTEL_EXPORTER_OTLP_ENDPOINT: must have no user and no password",
            ),
            ("OTEL_TRACES_SAMPLER_ARG", "sesame", RATIO),
            ("OTEL_TRACES_SAMPLER_ARG", "1.01", RATIO),
            ("OTEL_TRACES_SAMPLER_ARG", "-0.5", RATIO),
            ("OTEL_TRACES_SAMPLER_ARG", "NaN", RATIO),
            ("OTEL_EXPORTER_OTLP_HEADERS", "sesame", HEADERS),
        ] {
            let folder = TempDir::new().unwrap();
            let mut command = service.command();
            command.current_dir(&folder).env("LISTEN", "127.0.0.1:0");
            expect_refused(&run_to_end(command.env(key, value)), sentence);
        }
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("settings.toml");
        fs::write(&file, "otel_exporter_otlp_endpoint = \"ftp://sesame\"\n").unwrap();
        let mut command = service.command();
        command.current_dir(&folder).arg("--config").arg(&file);
        expect_refused(
            &run_to_end(&mut command),
            "must be the http:// or https:// URL",
        );
    }
}

#[test]
fn the_settings_file_may_name_the_collector() {
    for service in Service::all() {
        let collector = Collector::start(Mood::Takes);
        let installation = Parts::Embedded.install(service);
        let file = installation.folder().join("settings.toml");
        let text = format!(
            "otel_exporter_otlp_endpoint = \"{}\"\notel_traces_sampler_arg = 0.0\n",
            collector.url()
        );
        fs::write(&file, text).unwrap();
        let mut installation = installation;
        installation.set("CONFIG_FILE", file.to_str().unwrap());
        installation.set(AT_ONCE.0, AT_ONCE.1);
        let running = installation.run();
        put(&running.client(), "a", &trace_id(1));
        collector.wait_for(&trace_id(1), spans_of_write(service));
    }
}
