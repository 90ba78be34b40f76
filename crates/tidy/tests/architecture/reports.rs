//! The rules report wrong sources, however the path is written, and nothing else.

use crate::RULES;
use crate::rules::offences;
use crate::sources::Source;

fn reports(file: &str, text: &str) -> Vec<String> {
    let crate_name = match file.split_once('/').unwrap().0 {
        "core" => "cache_core".to_owned(),
        "http" => "cache_http".to_owned(),
        folder => folder.replace('-', "_"),
    };
    let source = Source::new(&crate_name, file, text);
    let found = offences(RULES, &source);
    found.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_reported(file: &str, text: &str, path: &str) {
    let found = reports(file, text);
    assert!(
        found
            .iter()
            .any(|report| report.contains(file) && report.contains(path)),
        "{file}: {text}\nwanted {path}, got {found:?}"
    );
}

#[track_caller]
fn assert_clean(file: &str, text: &str) {
    assert_eq!(reports(file, text), Vec::<String>::new(), "{file}: {text}");
}

/// Every way to name the Redis cache in an engine.
#[test]
fn a_path_is_found_however_it_is_written() {
    for text in [
        "use crate::cache::redis;",
        "use crate::cache::redis::RedisCache;",
        "use crate::cache::redis::*;",
        "use crate::cache::{Cache, redis::{RedisCache, Other}};",
        "use crate::{error::Result, cache::{self, redis::{self, RedisCache}}};",
        "use {std::sync::Arc, crate::cache::redis as r};",
        "pub use crate::cache::redis::RedisCache as Cache;",
        "pub(crate) use super::super::cache::redis::RedisCache;",
        "use crate::cache::r#redis::RedisCache;",
        "fn f() { use crate::cache::redis::RedisCache; }",
        "fn f() { let c = crate::cache::redis::RedisCache::new(); }",
        "fn f(c: Option<&dyn Fn(crate::cache::redis::RedisCache)>) {}",
        "fn f() -> Vec<crate::cache::redis::RedisCache> { vec![] }",
        "struct S<T: crate::cache::redis::Trait> { t: T }",
        "impl crate::cache::redis::Trait for S {}",
        "fn f() { <crate::cache::redis::RedisCache as Cache>::get(); }",
        "fn f() { <S as crate::cache::redis::Trait>::get(); }",
        "fn f() { g::<crate::cache::redis::RedisCache>(); }",
        "fn f(x: X) { match x { crate::cache::redis::A => {} } }",
        "fn f(x: X) { if let crate::cache::redis::A { a, .. } = x {} }",
        "const C: usize = crate::cache::redis::SHARDS;",
        "static S: [u8; crate::cache::redis::SHARDS] = [];",
        "type T = crate::cache::redis::RedisCache;",
        "mod inner { type T = crate::cache::redis::RedisCache; }",
        "mod inner { type T = super::super::super::cache::redis::RedisCache; }",
        // Through an import of a module above it.
        "use crate::cache; type T = cache::redis::RedisCache;",
        "use crate::cache; use cache::redis::RedisCache;",
        "use crate::cache::{self as c}; type T = c::redis::RedisCache;",
        "use crate as core; type T = core::cache::redis::RedisCache;",
        "use crate::*; type T = cache::redis::RedisCache;",
        "use crate::cache::*; type T = redis::RedisCache;",
        "use crate::cache; mod inner { use super::*; type T = cache::redis::RedisCache; }",
        "use crate::cache; mod inner { use super::cache; type T = cache::redis::RedisCache; }",
        "use crate::cache; mod inner { type T = super::cache::redis::RedisCache; }",
        "type T = self::super::super::cache::redis::RedisCache;",
        // In tokens that are not parsed.
        "fn f() { println!(\"{}\", crate::cache::redis::SHARDS); }",
        "fn f() { select! { x = crate::cache::redis::get() => { y } } }",
        "fn f() { outer!(inner!([a, (crate::cache::redis::SHARDS)])); }",
        "fn f() { m! { use crate::{error, cache::{memory, redis::RedisCache}}; } }",
        "use crate::cache; fn f() { assert!(cache::redis::ok()); }",
        "crate::cache::redis::declare! {}",
        "macro_rules! m { () => { $crate::cache::redis::SHARDS }; }",
        "#[derive(crate::cache::redis::Derive)] struct S;",
        "#[crate::cache::redis::attribute] fn f() {}",
        "#[attribute(with = crate::cache::redis::with)] struct S;",
        // Only what tests alone can see is left out.
        "#[cfg(not(test))] use crate::cache::redis;",
        "#[cfg(any(test, feature = \"x\"))] use crate::cache::redis;",
        "#[cfg(test)] mod tests { } use crate::cache::redis;",
    ] {
        assert_reported("core/src/engine/write_behind.rs", text, "cache::redis");
        assert_reported(
            "core/src/engine/seeder.rs",
            text,
            "only parts.rs names concrete parts",
        );
    }
}

#[test]
fn what_names_nothing_is_not_reported() {
    for text in [
        "use crate::cache::Cache; use crate::model::record::{Key, Record};",
        "/// See [`crate::cache::redis`].\nfn f() { let s = \"crate::cache::redis\"; }",
        "// use crate::cache::redis;",
        "pub(in crate::cache::redis) fn f() {}",
        "fn f() { let redis = 1; let config = redis; g(config.redis); }",
        "mod redis {} fn f() { redis::get(); self::redis::get(); }",
        "use other::cache; fn f() { cache::redis::get(); }",
        "fn f() { x.cache::<u8>().redis(); }",
        "#[cfg(test)] mod tests { use crate::cache::redis::RedisCache; }",
        "#[cfg(test)] use crate::cache::memory::MemoryCache;",
        "#[cfg(all(test, unix))] fn f() { crate::cache::redis::f() }",
        "impl S { #[cfg(test)] fn f() { crate::cache::redis::f() } }",
        "#[tokio::test] async fn f() { crate::cache::redis::f() }",
        "use foo::foo; fn f() { foo::bar(); }",
    ] {
        assert_clean("core/src/engine/write_behind.rs", text);
    }
}

#[test]
fn user_and_version_import_nothing_of_ours_but_errors() {
    for file in ["core/src/model/user.rs", "core/src/model/version.rs"] {
        assert_reported(file, "use crate::model::record::Key;", "record");
        assert_reported(
            file,
            "fn f() -> crate::Result { super::super::settings::f() }",
            "settings",
        );
        assert_clean(file, "use crate::error::{Error, Result};");
        assert_clean(
            file,
            "enum E { A } fn f() { self::g(); E::A; Self::h(); pub(crate) struct S; }",
        );
    }
    assert_reported(
        "core/src/model/version.rs",
        "use crate::model::user::User;",
        "user",
    );
    assert_reported(
        "core/src/model/user.rs",
        "use crate::model::version::Version;",
        "version",
    );
    assert_clean(
        "core/src/model/user/name.rs",
        "use super::User; use crate::model::user::name;",
    );
}

#[test]
fn cache_journal_and_store_never_import_each_other() {
    for (file, path) in [
        ("core/src/cache.rs", "crate::journal::Journal"),
        ("core/src/cache/memory.rs", "crate::store::Store"),
        ("core/src/cache/redis/keys.rs", "crate::journal::Entry"),
        ("core/src/journal.rs", "crate::cache::Cache"),
        ("core/src/journal/file.rs", "crate::store::Store"),
        ("core/src/store.rs", "crate::journal::Journal"),
        ("core/src/store/sqlite.rs", "crate::cache::Cache"),
        (
            "core/src/store/mysql.rs",
            "crate::engine::write_behind::drainer::Drainer",
        ),
        (
            "core/src/journal/file.rs",
            "crate::engine::write_behind::WriteBehind",
        ),
        ("core/src/cache.rs", "crate::engine::Engine"),
    ] {
        assert_reported(file, &format!("use {path};"), path);
    }
    for file in [
        "core/src/cache.rs",
        "core/src/journal/file.rs",
        "core/src/store/row.rs",
    ] {
        assert_clean(
            file,
            "use crate::{model::{record::Key, version}, error::Result, settings, redis::Pool};",
        );
    }
    assert_clean(
        "core/src/store/mysql.rs",
        "use super::{Store, upsert}; use crate::store::row;",
    );
}

#[test]
fn in_the_core_only_the_stores_know_users() {
    for file in [
        "cache.rs",
        "journal/file.rs",
        "engine/write_through.rs",
        "model/record.rs",
        "lib.rs",
    ] {
        let file = format!("core/src/{file}");
        assert_reported(
            &file,
            "mod model; use crate::model::user::User;",
            "cache_core::model::user",
        );
    }
    assert_clean("core/src/store/row.rs", "use crate::model::user::User;");
    assert_clean("core/src/lib.rs", "pub mod model;");
    assert_clean("http/src/users.rs", "use cache_core::model::user::User;");
    assert_clean(
        "write-behind-svc/src/routes.rs",
        "use cache_core::model::user::User;",
    );
}

#[test]
fn only_parts_rs_names_concrete_parts() {
    for part in [
        "cache::memory",
        "journal::redis_stream",
        "journal::file",
        "store::mysql",
        "store::sqlite",
    ] {
        for file in [
            "http/src/users.rs",
            "write-behind-svc/src/main.rs",
            "write-through-svc/src/routes.rs",
        ] {
            assert_reported(file, &format!("use cache_core::{part}::Part;"), part);
        }
        for file in [
            "core/src/lib.rs",
            "core/src/settings.rs",
            "core/src/concurrency/group_commit.rs",
        ] {
            assert_reported(file, &format!("use crate::{part}::Part;"), part);
        }
        assert_clean("core/src/parts.rs", &format!("use crate::{part}::Part;"));
        let own = format!("core/src/{}.rs", part.replace("::", "/"));
        assert_clean(
            &own,
            &format!("use crate::{part}::Part; use self::below::Other;"),
        );
    }
    // An interface does not hand out what implements it under another name.
    assert_reported(
        "core/src/cache.rs",
        "pub mod redis; pub use redis::RedisCache;",
        "cache::redis",
    );
    assert_reported(
        "core/src/lib.rs",
        "mod cache; pub use cache::redis::RedisCache;",
        "cache::redis",
    );
    assert_clean(
        "core/src/cache/redis/keys.rs",
        "use super::Shard; use crate::cache::{Cache, redis};",
    );
}

#[test]
fn engines_name_no_server() {
    for file in [
        "engine.rs",
        "engine/read_through.rs",
        "engine/write_behind/limits.rs",
    ] {
        assert_reported(
            &format!("core/src/{file}"),
            "use crate::redis::Pool;",
            "redis::Pool",
        );
    }
}

#[test]
fn each_library_has_its_files() {
    for (file, text) in [
        ("core/src/cache/memory.rs", "use diesel::prelude::*;"),
        (
            "core/src/error.rs",
            "impl From<diesel::result::Error> for Error {}",
        ),
        (
            "core/src/model/user.rs",
            "#[derive(diesel::Queryable)] struct User;",
        ),
        ("http/src/health.rs", "use diesel_async::RunQueryDsl as _;"),
        (
            "core/src/settings.rs",
            "const M: M = diesel_migrations::embed_migrations!();",
        ),
        ("core/src/cache.rs", "use deadpool_redis::Pool;"),
        (
            "core/src/journal.rs",
            "fn f() { ::deadpool_redis::redis::cmd(\"GET\"); }",
        ),
        (
            "core/src/settings.rs",
            "fn f(url: &str) { redis::Client::open(url); }",
        ),
        ("write-behind-svc/src/app.rs", "use deadpool_redis::redis;"),
        (
            "core/src/error.rs",
            "impl actix_web::ResponseError for Error {}",
        ),
        (
            "write-behind-svc/src/drain_loop.rs",
            "#[actix_web::main] async fn main() {}",
        ),
        ("core/src/telemetry.rs", "use config::Config;"),
        ("core/src/settings/urls.rs", "use mysql_async::Opts;"),
        ("compare/src/observe.rs", "use mysql_async::Conn;"),
        ("compare/src/site.rs", "use deadpool_redis::redis;"),
        ("compare/src/fault/lock.rs", "use rusqlite::Connection;"),
        ("core/src/redis/endpoint.rs", "use rustls::ClientConfig;"),
        (
            "core/src/store/mysql/connector.rs",
            "use rustls::pki_types::PrivateKeyDer;",
        ),
        ("core/src/store/mysql.rs", "use pkcs8::ObjectIdentifier;"),
        (
            "http/src/process.rs",
            "fn f() { rustls::crypto::ring::default_provider(); }",
        ),
        ("write-behind-svc/src/main.rs", "extern crate config as c;"),
    ] {
        assert_eq!(reports(file, text).len(), 1, "{file}: {text}");
    }
    for (file, text) in [
        ("core/src/store.rs", "use diesel::prelude::*;"),
        (
            "core/src/store/mysql.rs",
            "use diesel_async::AsyncMysqlConnection;",
        ),
        (
            "core/src/redis.rs",
            "use deadpool_redis::redis; fn f() { redis::cmd(\"GET\"); }",
        ),
        (
            "core/src/redis/scripts.rs",
            "use deadpool_redis::redis::Script;",
        ),
        ("core/src/cache/redis.rs", "use deadpool_redis::redis;"),
        (
            "core/src/journal/redis_stream.rs",
            "use deadpool_redis::redis::streams;",
        ),
        (
            "core/src/lib.rs",
            "pub mod redis; fn f() { redis::open(); }",
        ),
        ("http/src/users.rs", "use actix_web::web;"),
        ("write-through-svc/src/app.rs", "use actix_web::App;"),
        ("write-through-svc/src/routes.rs", "use actix_web::get;"),
        (
            "write-through-svc/src/main.rs",
            "use actix_web::HttpServer;",
        ),
        ("core/src/settings/file.rs", "use config::File;"),
        (
            "core/src/tls.rs",
            "use pkcs8::ObjectIdentifier; use rustls::ClientConfig;",
        ),
    ] {
        assert_clean(file, text);
    }
}

#[test]
#[should_panic(expected = "core/src/model/user.rs")]
fn a_file_that_cannot_be_parsed_is_reported() {
    reports("core/src/model/user.rs", "fn f( {");
}
