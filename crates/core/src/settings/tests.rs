mod files;

use super::*;
use std::collections::HashMap;

fn load_from(
    service: Service,
    file: Option<&str>,
    environment: &[(&str, &str)],
) -> Result<Settings, BadSetting> {
    let environment: HashMap<String, String> = environment
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
    }
    load(service, file.map(|_| path.as_path()), |key| {
        environment.get(key).cloned()
    })
}

#[test]
fn nothing_configured_is_the_embedded_parts_in_a_folder_of_each_service() {
    let through = load_from(Service::WriteThrough, None, &[]).unwrap();
    let behind = load_from(Service::WriteBehind, None, &[]).unwrap();
    assert_eq!(
        through.database,
        DatabaseUrl::Sqlite("data/write-through/users.db".into())
    );
    assert_eq!(
        behind.database,
        DatabaseUrl::Sqlite("data/write-behind/users.db".into())
    );
    assert_eq!(
        behind.journal,
        JournalUrl::File("data/write-behind/journal".into())
    );
    assert_eq!(
        (through.cache, behind.cache),
        (CacheUrl::Memory, CacheUrl::Memory)
    );
    assert_eq!(through.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(behind.listen.to_string(), "127.0.0.1:8081");
}

#[test]
fn the_environment_goes_over_the_file_and_the_file_over_the_defaults() {
    let file = "cache_ttl_s = 7\nbatch_max = 9\nlisten = \"127.0.0.1:99\"\n";
    let settings = load_from(Service::WriteBehind, Some(file), &[("BATCH_MAX", "11")]).unwrap();
    assert_eq!(settings.cache_ttl, Duration::from_secs(7));
    assert_eq!(settings.batch_max, 11);
    assert_eq!(settings.listen.port(), 99);
    assert_eq!(settings.drain_batch_max, 1024);
}

#[test]
fn an_unknown_key_in_the_file_is_refused_by_its_name() {
    let refused = load_from(Service::WriteBehind, Some("cache_tll_s = 7\n"), &[]).unwrap_err();
    assert_eq!(refused.key, "cache_tll_s");
    let refused =
        load_from(Service::WriteThrough, Some("journal_sync = \"os\"\n"), &[]).unwrap_err();
    assert_eq!(
        refused.key, "journal_sync",
        "the write-through service has no journal"
    );
}

#[test]
fn the_old_name_of_a_setting_is_refused_with_the_new_one() {
    let file = load_from(
        Service::WriteThrough,
        Some("cache_away = \"refuse\"\n"),
        &[],
    );
    let given = load_from(Service::WriteThrough, None, &[("CACHE_AWAY", "refuse")]);
    for refused in [file, given] {
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("CACHE_UNAVAILABLE"), "{refused}");
    }
    // As any other setting of the other service.
    load_from(Service::WriteBehind, None, &[("CACHE_AWAY", "refuse")]).unwrap();
}

#[test]
fn what_is_wrong_in_the_file_is_refused_by_its_line_and_column() {
    for (text, place) in [
        ("batch_max = 7\nlog = sesame\n", "line 2, column 7"),
        (
            "batch_max = 7\n\ncache_url = \"sesame\n",
            "line 3, column 20",
        ),
        ("batch_max = 7\nbatch_max = 8\n", "line 2, column 1"),
        ("# é\n  cache_tll_s = 7\n", "line 2, column 3"),
        ("[sesame]\n", "line 1, column 2"),
        (
            "log = \"info\"\nbatch_max = \"sesame\"\n",
            "line 2, column 1",
        ),
        (
            "\ndatabase_url = \"postgres://sesame\"\n",
            "line 2, column 1",
        ),
        ("\n\nlog = \"sesame\"\n", "line 3, column 1"),
    ] {
        let refused = load_from(Service::WriteBehind, Some(text), &[]).expect_err(text);
        let said = refused.to_string();
        assert!(
            said.contains("settings.toml") && said.contains(place),
            "{said}"
        );
        assert!(
            !said.contains("sesame") || text.starts_with("[sesame"),
            "{said}"
        );
    }
    // The environment goes over the file, so the file is not what is wrong.
    let text = "batch_max = 7\n";
    let refused = load_from(Service::WriteBehind, Some(text), &[("BATCH_MAX", "sesame")]);
    let said = refused.unwrap_err().to_string();
    assert!(!said.contains("line"), "{said}");
}

#[test]
fn bad_values_are_refused_by_the_key_and_without_the_value() {
    for (key, value) in [
        ("LISTEN", "sesame"),
        ("DATABASE_URL", "postgres://me:sesame@host/users"),
        ("DATABASE_URL", "mysql://me:sesame@host"),
        ("DATABASE_URL", "sqlite:file:sesame.db?vfs=unix-none"),
        ("DATABASE_URL", "mysql://me:sesame@host/us`ers"),
        ("CACHE_URL", "memcached://sesame"),
        ("JOURNAL_URL", "redis://:sesame@host"),
        ("JOURNAL_SYNC", "sesame"),
        ("BATCH_MAX", "sesame"),
        ("BATCH_MAX", "0"),
        ("BATCH_MAX", "-1"),
        ("SHUTDOWN_DEADLINE_S", "1.5"),
        ("LOG", "a=b=sesame"),
        ("LOG", "sesame"),
        ("BATCH_MAX", "yes"),
        ("BATCH_MAX", "1000000001"),
        ("CACHE_ABSENT_TTL_S", "0"),
        ("LOG_FORMAT", "sesame"),
    ] {
        let refused = load_from(Service::WriteBehind, None, &[(key, value)]).expect_err(key);
        assert_eq!(refused.key, key);
        assert!(!refused.to_string().contains("sesame"), "{refused}");
    }
}

#[test]
fn values_in_the_file_are_taken_as_they_are_or_refused() {
    for wrong in [
        "batch_max = 1.6",
        "batch_max = true",
        "batch_max = -1",
        "log = 1",
        "cache_url = 1",
    ] {
        let refused = load_from(Service::WriteBehind, Some(wrong), &[]).expect_err(wrong);
        assert_eq!(refused.key.to_lowercase(), wrong.split(' ').next().unwrap());
    }
    for fine in ["batch_max = 16", "batch_max = \"16\""] {
        assert_eq!(
            load_from(Service::WriteBehind, Some(fine), &[])
                .unwrap()
                .batch_max,
            16
        );
    }
    let large = load_from(
        Service::WriteBehind,
        None,
        &[("JOURNAL_SEGMENT_BYTES", "5000000000")],
    );
    assert_eq!(large.unwrap().journal_segment_bytes, 5_000_000_000);
}

#[test]
fn a_redis_cache_takes_the_journal_with_it() {
    let redis = ("CACHE_URL", "redis://localhost");
    let settings = load_from(Service::WriteBehind, None, &[redis]).unwrap();
    assert_eq!(settings.journal, JournalUrl::WithCache);
    let settings = load_from(
        Service::WriteBehind,
        None,
        &[redis, ("JOURNAL_URL", "redis://localhost")],
    )
    .unwrap();
    assert_eq!(settings.journal, JournalUrl::WithCache);
    let secured = ("CACHE_URL", "rediss://localhost");
    for journal in ["", "rediss://localhost"] {
        let given = [secured, ("JOURNAL_URL", journal)];
        let settings = load_from(Service::WriteBehind, None, &given).unwrap();
        assert_eq!(settings.journal, JournalUrl::WithCache);
    }
    let plain = [secured, ("JOURNAL_URL", "redis://localhost")];
    assert!(load_from(Service::WriteBehind, None, &plain).is_err());
    for other in ["redis://elsewhere", "file:journal"] {
        assert!(
            load_from(Service::WriteBehind, None, &[redis, ("JOURNAL_URL", other)]).is_err(),
            "{other}"
        );
    }
}

#[test]
fn an_option_of_the_redis_url_that_would_be_ignored_is_named() {
    for url in [
        "redis://localhost?charset=utf8mb4",
        "rediss://:s3cret@[::1]:7/1?protocol=resp3&charset=s3cret",
    ] {
        let refused = load_from(Service::WriteThrough, None, &[("CACHE_URL", url)]).unwrap_err();
        assert_eq!(refused.key, "CACHE_URL");
        let said = refused.to_string();
        assert!(
            said.contains("charset") && !said.contains("s3cret"),
            "{said}"
        );
    }
    let known = [("CACHE_URL", "redis://[::1]:7/1?protocol=resp3")];
    assert!(load_from(Service::WriteThrough, None, &known).is_ok());
}

#[test]
fn no_form_of_a_url_shows_its_password() {
    for text in ["rediss://:s3cret@localhost/1", "rediss://me:s3cret@[::1]:7"] {
        let Ok(CacheUrl::Redis(url)) = CacheUrl::parse(text) else {
            panic!("{text}")
        };
        assert!(!format!("{url} {url:?}").contains("s3c"), "{url}");
    }
    for text in [
        "mysql://root:s3cret@localhost:3306/users",
        "mysql://root:s3c@ret@localhost/users",
        "mysql://root@localhost/users?password=s3cret",
        "mysql://root@localhost/users?password=s3cret@x",
    ] {
        let Ok(DatabaseUrl::Mysql(url)) = DatabaseUrl::parse(text) else {
            panic!("{text}")
        };
        let shown = format!("{url} {url:?}");
        assert!(!shown.contains("s3c") && !shown.contains("ret@"), "{shown}");
    }
}

#[test]
fn help_lists_every_setting_of_the_service_and_usage_errors_exit_64() {
    let ask = |service, argument: &str| {
        let arguments = ["svc".into(), argument.into()];
        match read(service, "1.2.3", "about", arguments, |_| None).unwrap() {
            Command::Print(text, code) => (text, code),
            other => panic!("{other:?}"),
        }
    };
    for service in [Service::WriteThrough, Service::WriteBehind] {
        let (text, code) = ask(service, "--help");
        assert_eq!(code, 0);
        for setting in TABLE {
            // The names of some begin with those of others.
            for name in setting.names() {
                let line = format!("\n  {name:<22} ");
                assert_eq!(text.contains(&line), setting.is_for(service), "{text}");
            }
        }
    }
    assert_eq!(
        ask(Service::WriteThrough, "--nonsense").1,
        EXIT_BAD_SETTINGS
    );
    assert!(ask(Service::WriteThrough, "--version").0.contains("1.2.3"));
}
