//! `docs/configuration.md`, made from the table of settings and the subcommands.
//!
//! `UPDATE_DOCUMENTS=1 cargo test -p cache-core --lib settings::table::document` writes it.

use clap::{Arg, CommandFactory as _};
use testkit::generated_page::expect_current;

use super::{Setting, TABLE, secret_file};
use crate::settings::Service;
use crate::settings::command_line::Arguments;

const UPDATE: &str = "UPDATE_DOCUMENTS=1 cargo test -p cache-core --lib settings::table::document";

const BEGINNING: &str = "\
# Configuration

Defaults come first, then a TOML file (`--config FILE`, or `CONFIG_FILE`), then the environment. In the file the names are
in lower case:

    database_url = \"mysql://root:root@localhost:3306/users\"
    cache_url = \"redis://localhost:6379\"
    cache_ttl_s = 600

An unknown name in the file, or a bad value anywhere, ends the start with exit code 64 and the name. Passwords are not
logged and not shown. `--help` prints what is on this page:

    cargo run --release -p write-behind-svc -- --help

The environment may have settings of the other service, which are ignored. In the file such a setting is an unknown name.

A number is whole and from 1 to 1,000,000,000, except:

- from 0: `HTTP_WORKERS`, `COMMIT_LANES`, `DRAIN_LINGER_MS`, `REDIS_WAIT_REPLICAS`, `TOMBSTONE_RETENTION_S`,
  `RATE_LIMIT_PER_S`, `RATE_LIMIT_BURST`, `REQUESTS_MAX`;
- from 500: `LEASE_MS`, `CACHE_LEASE_MS`;
- to 100,000: `BATCH_MAX`, `DRAIN_BATCH_MAX`;
- to 1,000,000,000,000: `JOURNAL_SEGMENT_BYTES`, and from 0: `JOURNAL_BYTES_MAX`;
- from 0 to 1, with a decimal point: `OTEL_TRACES_SAMPLER_ARG`.
";

/// The sections, with how the names of their settings begin. A setting belongs to the first that fits.
const SECTIONS: &[(&str, &[&str])] = &[
    (
        "HTTP",
        &[
            "LISTEN",
            "ALLOWED_ORIGINS",
            "KEEP_ALIVE",
            "HTTP_",
            "DASHBOARD",
            "AUTH_",
            "TLS_",
            "CORS_",
            "RATE_",
            "REQUESTS_",
        ],
    ),
    ("Database", &["DATABASE_", "TOMBSTONE_"]),
    ("Cache", &["CACHE_"]),
    ("Redis", &["REDIS_", "SENTINEL_"]),
    (
        "Journal and drain",
        &["JOURNAL_", "DRAIN_", "LEASE_", "DEAD_"],
    ),
    ("Batches", &["BATCH_", "WAITING_", "COMMIT_"]),
    ("Traces", &["OTEL_"]),
    ("Process", &[""]),
];

fn page() -> String {
    let mut page = BEGINNING.to_owned();
    for (place, (title, _)) in SECTIONS.iter().enumerate() {
        page += &format!("\n## {title}\n\n| name | default | of | |\n|---|---|---|---|\n");
        let settings = TABLE.iter().filter(|setting| section(setting.key) == place);
        page.extend(settings.map(row));
    }
    page += "\n## Subcommands\n\nEach takes the same settings as the service.\n\n| subcommand | |\n|---|---|\n";
    page += &subcommands(&Arguments::command(), "");
    page += &format!("\nThis page is made from the code: `{UPDATE}`\n");
    page
}

fn section(key: &str) -> usize {
    let fits = |(_, starts): &(&str, &[&str])| starts.iter().any(|start| key.starts_with(start));
    SECTIONS.iter().position(fits).unwrap_or(SECTIONS.len() - 1)
}

fn row(setting: &Setting) -> String {
    // The help has in brackets what depends on the service or on another setting.
    let (meaning, default) = match setting.help.strip_suffix(']') {
        Some(help) => help.rsplit_once(" [").unwrap_or((help, "")),
        None => (setting.help, ""),
    };
    let default = match setting.default.is_empty() {
        true => default.to_owned(),
        false => format!("`{}`", setting.default.replace("{service}", "SERVICE")),
    };
    let of = match setting.only {
        None => "both",
        Some(Service::WriteThrough) => "write-through",
        Some(Service::WriteBehind) => "write-behind",
    };
    let key = setting.key;
    let mut row = format!("| `{key}` | {default} | {of} | {meaning} |\n");
    if setting.is_secret {
        let file = secret_file::file_key(key);
        row += &format!("| `{file}` | | {of} | a file that has the value of `{key}` |\n");
    }
    row
}

fn subcommands(command: &clap::Command, path: &str) -> String {
    let rows = command.get_subcommands().map(|subcommand| {
        let path = format!("{path} {}", subcommand.get_name());
        if subcommand.has_subcommands() {
            return subcommands(subcommand, &path);
        }
        let arguments: String = subcommand.get_arguments().map(argument).collect();
        let about = subcommand.get_about().map(ToString::to_string);
        let about = about.unwrap_or_default();
        format!("| `{}{arguments}` | {about} |\n", path.trim_start())
    });
    rows.collect()
}

/// ` --to FOLDER`, ` NAME` or ` [--frames]`.
fn argument(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default();
    let takes_value = argument.get_action().takes_values();
    let value = values.first().filter(|_| takes_value);
    let text = match (argument.get_long(), value) {
        (Some(long), Some(value)) => format!("--{long} {value}"),
        (Some(long), None) => format!("--{long}"),
        (None, value) => value.map(ToString::to_string).unwrap_or_default(),
    };
    match argument.is_required_set() {
        true => format!(" {text}"),
        false => format!(" [{text}]"),
    }
}

#[test]
fn the_page_has_the_settings_and_subcommands_as_they_are() {
    expect_current("configuration.md", &page(), UPDATE);
}

#[test]
fn every_section_has_settings() {
    for (place, (title, _)) in SECTIONS.iter().enumerate() {
        let has_any = TABLE.iter().any(|setting| section(setting.key) == place);
        assert!(has_any, "{title}");
    }
}
