//! The rule of imports, checked on the source of every crate: data flows one way, from route to engine to
//! cache, journal and store, and each library and server has the files that may name it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod circles;
mod paths;
mod reports;
mod rules;
mod sources;

use rules::{Offence, Rule, offences, rule};
use sources::{read_sources, read_test_files};

// Lists are separated by white space. In files, `*` stands for anything, `/` too. In paths, a name
// stands for all that is below it. A file may always name the modules that it is part of.

const NONE: &str = "";
const EVERYWHERE: &str = "*";

const CACHE: &str = "core/src/cache.rs core/src/cache/*";
const JOURNAL: &str = "core/src/journal.rs core/src/journal/*";
const STORE: &str = "core/src/store.rs core/src/store/*";
const LEASE: &str = "core/src/lease.rs core/src/lease/*";
const PARTS: &str = "core/src/cache.rs core/src/cache/* core/src/journal.rs core/src/journal/* \
                     core/src/store.rs core/src/store/* core/src/lease.rs core/src/lease/*";
const REDIS: &str = "core/src/redis.rs core/src/redis/* core/src/cache/redis.rs core/src/cache/redis/* \
                     core/src/journal/redis_stream.rs core/src/journal/redis_stream/* \
                     core/src/lease/redis.rs core/src/lease/redis/* compare/src/servers/redis.rs \
                     testkit/src/redis_connection.rs";
const TLS: &str = "core/src/tls.rs core/src/tls/* e2e/tests/traces/secure.rs \
                   e2e/tests/protection/tls_client.rs";
const TRACE: &str = "core/src/model/trace_context.rs core/src/telemetry/trace.rs core/src/telemetry/trace/* \
                     e2e/tests/traces/*";
const MYSQL: &str = "core/src/store.rs core/src/store/* testkit/src/* \
                     compare/src/servers/mysql.rs compare/src/servers/mysql/*";
const SQLITE: &str = "core/src/store/sqlite/refusal.rs compare/src/sqlite.rs";
const SETTINGS: &str = "core/src/settings.rs core/src/settings/*";
const ENGINES: &str = "core/src/engine.rs core/src/engine/*";
const VALUES: &str = "core/src/model/user.rs core/src/model/user/* core/src/model/version.rs core/src/model/version/*";
const MODEL: &str = "core/src/model.rs core/src/model/*";
const EACH_VALUE: &str = "cache_core cache_core::model::dataset cache_core::model::dead_letter \
                          cache_core::model::epoch cache_core::model::record cache_core::model::shard \
                          cache_core::model::source cache_core::model::stored_versions \
                          cache_core::model::user cache_core::model::version";
const STORE_AND_USER: &str =
    "core/src/store.rs core/src/store/* core/src/model/user.rs core/src/model/user/*";
const HTTP: &str = "http/src/* *-svc/src/app.rs *-svc/src/routes.rs *-svc/src/journal.rs \
                    *-svc/src/dead_letters.rs *-svc/src/replay.rs *-svc/src/main.rs bench/src/bin/bench-baseline.rs \
                    compare/src/own_service.rs compare/src/own_service/* compare/src/live.rs compare/src/live/controls.rs \
                    compare/src/live/guard.rs";
const DESCRIBED: &str = "http/src/* *-svc/src/dead_letters.rs *-svc/src/journal.rs *-svc/src/replay.rs \
                         core/src/model/user/schema.rs core/src/outage/health.rs core/src/engine.rs";
const CHOICE_OF_PARTS: &str = "core/src/parts.rs core/src/parts/*";

const CONCRETE_PARTS: &str = "cache_core::cache::redis cache_core::cache::memory \
                              cache_core::journal::redis_stream cache_core::journal::file cache_core::lease::redis \
                              cache_core::store::mysql cache_core::store::sqlite";
const DIESEL: &str = "diesel diesel_async diesel_migrations libsqlite3_sys";
const OPENTELEMETRY: &str =
    "opentelemetry opentelemetry_sdk opentelemetry_otlp opentelemetry_http opentelemetry_proto";
const ACTIX: &str = "actix_web actix_http actix_rt actix_server actix_service";

#[rustfmt::skip]
const RULES: &[Rule] = &[
    //   in       but not in      nothing names                            except               because
    rule(VALUES,     NONE,           EACH_VALUE,                              "cache_core::error", "user and version import nothing of ours"),
    rule(MODEL,      NONE,           "cache_core",                            "cache_core::model cache_core::error", "values know nothing of servers and engines"),
    rule(CACHE,      NONE,           "cache_core::journal cache_core::store", NONE,                "cache, journal and store never import each other"),
    rule(JOURNAL,    NONE,           "cache_core::cache cache_core::store",   NONE,                "cache, journal and store never import each other"),
    rule(STORE,      NONE,           "cache_core::cache cache_core::journal", NONE,                "cache, journal and store never import each other"),
    rule(LEASE,      NONE,           "cache_core::cache cache_core::journal cache_core::store", NONE, "leases know nothing of what they are for"),
    rule(PARTS,      NONE,           "cache_core::engine",                    NONE,                "data flows from engine to cache, journal and store"),
    rule("core/*",   STORE_AND_USER, "cache_core::model::user",                      NONE,                "in the core, only the stores know what a user is"),
    rule(ENGINES,    NONE,           "cache_core::redis",                     NONE,                "engines know their interfaces, never a server"),
    rule(EVERYWHERE, CHOICE_OF_PARTS, CONCRETE_PARTS,                         NONE,                "only parts.rs names concrete parts"),
    rule(EVERYWHERE, STORE,          DIESEL,                                  NONE,                "diesel lives in the store"),
    rule(EVERYWHERE, REDIS,          "deadpool_redis redis",                  NONE,                "deadpool-redis lives in the Redis files, and where a comparison asks the server"),
    rule(EVERYWHERE, MYSQL,          "mysql_async",                           NONE,                "the driver of MySQL lives in the store, and where a comparison asks the server"),
    rule(EVERYWHERE, SQLITE,         "rusqlite",                              NONE,                "SQLite is asked past diesel for the number of an error, and by a comparison"),
    rule(EVERYWHERE, TLS,            "rustls pkcs8",                          NONE,                "what TLS says is understood in one place"),
    rule(EVERYWHERE, TRACE,          OPENTELEMETRY,                           NONE,                "OpenTelemetry's crates live in the traces"),
    rule(EVERYWHERE, HTTP,           ACTIX,                                   NONE,                "actix-web lives in the HTTP parts"),
    rule(EVERYWHERE, DESCRIBED,      "utoipa",                                NONE,                "OpenAPI is of the HTTP parts, and of the types that they answer with"),
    rule(EVERYWHERE, SETTINGS,       "config",                                NONE,                "the config crate lives in the settings"),
];

/// Names that say nothing about what is inside.
const FILE_NAMES_REFUSED: &[&str] = &["utils.rs", "helpers.rs", "common.rs", "mod.rs"];

const FILE_LINES_MAX: usize = 500;

#[test]
fn every_import_keeps_the_rules() {
    let found: Vec<Offence> = read_sources()
        .iter()
        .flat_map(|source| offences(RULES, source))
        .collect();
    let report: String = found
        .iter()
        .map(|offence| format!("\n  {offence}"))
        .collect();
    assert!(found.is_empty(), "{report}");
}

#[test]
fn every_file_is_named_for_what_it_holds() {
    for source in read_sources() {
        let name = source.file.rsplit('/').next().unwrap();
        assert!(!FILE_NAMES_REFUSED.contains(&name), "{}", source.file);
    }
}

/// The files that are too long, with their lines.
fn too_long<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    files
        .map(|(file, text)| (file, text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(file, lines)| format!("{file} has {lines} lines, more than {FILE_LINES_MAX}"))
        .collect()
}

#[test]
fn no_source_is_too_long() {
    let sources = read_sources();
    let texts = sources.iter();
    let texts = texts.map(|source| (source.file.as_str(), source.text.as_str()));
    assert_eq!(too_long(texts), [""; 0]);
}

#[test]
fn no_test_file_is_too_long() {
    let files = read_test_files();
    let texts = files.iter();
    let texts = texts.map(|(file, text)| (file.as_str(), text.as_str()));
    assert_eq!(too_long(texts), [""; 0]);
}

/// What a duration's name ends with, before `_MIN` or `_MAX`.
const DURATIONS: [&str; 4] = ["_TIMEOUT", "_INTERVAL", "_BACKOFF", "_LIFETIME"];
const TIMING: &str = "core/src/timing.rs";

/// The names of a source's constant durations; those of its tests are left out.
fn durations(text: &str) -> impl Iterator<Item = &str> {
    let text = text.split("#[cfg(test)]").next().unwrap();
    let declared = text.lines().filter(|line| !line.contains("const fn "));
    let declared = declared.filter_map(|line| line.split_once("const "));
    declared.filter_map(|(_, constant)| {
        let (name, of) = constant.split_once(": ")?;
        of.trim_start_matches("std::time::")
            .starts_with("Duration")
            .then_some(name)
    })
}

#[test]
fn durations_of_the_core_stand_in_one_table() {
    for source in read_sources() {
        let is_of_tests = ["/tests/", "tests.rs"].map(|part| source.file.contains(part));
        if !source.file.starts_with("core/src/") || is_of_tests.contains(&true) {
            continue;
        }
        for name in durations(&source.text) {
            assert_eq!(source.file, TIMING, "{name} belongs there");
            let stem = name.trim_end_matches("_MIN").trim_end_matches("_MAX");
            let is_named_so = DURATIONS.iter().any(|shape| stem.ends_with(shape));
            assert!(is_named_so, "{name} ends with none of {DURATIONS:?}");
        }
    }
}

/// `scripts/test` runs what bears this mark by itself, with servers, and nothing else that is ignored.
const NEEDS_SERVERS: &str = "#[ignore = \"needs servers\"]";

#[test]
fn a_test_is_ignored_only_where_it_needs_servers() {
    let sources = read_sources().into_iter();
    let sources = sources.map(|source| (source.file, source.text));
    for (file, text) in read_test_files().into_iter().chain(sources) {
        for line in text.lines().map(str::trim) {
            let is_ignored = line.starts_with("#[ignore") || line.starts_with("#[cfg_attr(");
            let is_marked = line.starts_with(NEEDS_SERVERS);
            assert!(!is_ignored || is_marked, "{file}: {line}");
        }
    }
}
