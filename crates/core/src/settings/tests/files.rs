//! Settings that name a file.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tempfile::TempDir;
use testkit::certificates::{Authority, Validity};

use super::*;

/// Files with these contents.
struct Files(TempDir);

impl Files {
    fn new() -> Files {
        Files(TempDir::new().unwrap())
    }

    fn with(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path: PathBuf = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// What Kubernetes mounts: a link to a file in a folder that a link leads to.
    fn mounted(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let folder = self.0.path();
        fs::create_dir_all(folder.join("..1")).unwrap();
        fs::write(folder.join("..1").join(name), content).unwrap();
        let _ = symlink("..1", folder.join("..data"));
        let path = folder.join(name);
        symlink(PathBuf::from("..data").join(name), &path).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

const URL: &str = "mysql://me:sesame@host/users";

/// What a write-behind-svc is asked for by these arguments in this environment.
fn asked(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Command, BadSetting> {
    let arguments = ["svc"].iter().chain(arguments).map(Into::into);
    let arguments: Vec<_> = arguments.collect();
    let environment = |key: &str| {
        let found = environment.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| value.to_string())
    };
    read(Service::WriteBehind, "1", "about", arguments, environment)
}

fn database_of(settings: Result<Settings, BadSetting>) -> String {
    match settings.unwrap().database {
        DatabaseUrl::Mysql(url) => url.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_secret_is_the_content_of_a_file_without_one_line_end() {
    let files = Files::new();
    for content in [URL.to_owned(), format!("{URL}\n"), format!("{URL}\r\n")] {
        let path = files.with("url", content);
        let given = [("DATABASE_URL_FILE", path.as_str())];
        for service in [Service::WriteThrough, Service::WriteBehind] {
            assert_eq!(database_of(load_from(service, None, &given)), URL);
        }
        let toml = format!("database_url_file = \"{path}\"\n");
        let settings = load_from(Service::WriteBehind, Some(&toml), &[]);
        assert_eq!(database_of(settings), URL);
    }
    let path = files.mounted("cache", "rediss://:sesame@host\n");
    let given = [
        ("CACHE_URL_FILE", path.as_str()),
        ("JOURNAL_URL_FILE", path.as_str()),
    ];
    let settings = load_from(Service::WriteBehind, None, &given).unwrap();
    assert_eq!(settings.journal, JournalUrl::WithCache);
    let CacheUrl::Redis(url) = &settings.cache else {
        panic!("{settings:?}")
    };
    assert_eq!(url.expose(), "rediss://:sesame@host");
    assert!(!format!("{settings:?}").contains("sesame"));

    // Nothing else is taken off.
    let path = files.with("journal", "file:/a b \n");
    let settings = load_from(Service::WriteBehind, None, &[("JOURNAL_URL_FILE", &path)]);
    assert_eq!(settings.unwrap().journal, JournalUrl::File("/a b ".into()));
}

#[test]
fn a_secret_that_is_given_twice_in_one_place_is_refused_by_both_names() {
    let files = Files::new();
    let path = files.with("url", URL);
    let both = [("DATABASE_URL", URL), ("DATABASE_URL_FILE", path.as_str())];
    let toml = format!("database_url = \"{URL}\"\ndatabase_url_file = \"{path}\"\n");
    for refused in [
        load_from(Service::WriteBehind, None, &both),
        load_from(Service::WriteBehind, Some(&toml), &[]),
        // Also where another place goes over both.
        load_from(Service::WriteBehind, Some(&toml), &both[..1]),
    ] {
        let said = refused.unwrap_err().to_string();
        assert!(
            said.contains("DATABASE_URL_FILE") && said.contains("DATABASE_URL "),
            "{said}"
        );
        assert!(!said.contains("sesame"), "{said}");
    }
}

#[test]
fn the_environment_goes_over_the_file_whichever_way_a_secret_is_given() {
    let files = Files::new();
    let (wins, loses) = ("mysql://host/wins", "mysql://host/loses");
    let path = files.with("wins", wins);
    let toml = format!("database_url = \"{loses}\"\n");
    let given = [("DATABASE_URL_FILE", path.as_str())];
    assert_eq!(
        database_of(load_from(Service::WriteBehind, Some(&toml), &given)),
        wins
    );
    // The other file need not even be there.
    let toml = "database_url_file = \"/nowhere/url\"\n";
    for given in [("DATABASE_URL", wins), given[0]] {
        assert_eq!(
            database_of(load_from(Service::WriteBehind, Some(toml), &[given])),
            wins
        );
    }
}

#[test]
fn a_file_that_holds_no_value_is_refused_by_its_key_and_without_its_content() {
    let files = Files::new();
    let folder = files.0.path().to_str().unwrap().to_owned();
    for (path, reason) in [
        ("/nowhere/sesame".to_owned(), "cannot be read"),
        (folder, "is not a regular file"),
        ("/dev/null".to_owned(), "is not a regular file"),
        (
            files.with("lines", "file:/sesame\n\n"),
            "more than one line",
        ),
        (
            files.with("second", "file:/a\nsesame\n"),
            "more than one line",
        ),
        (
            files.with("return", "file:/a\rsesame"),
            "more than one line",
        ),
        (files.with("tab", "file:/a\tsesame"), "a control character"),
        (files.with("empty", ""), "is empty"),
        (files.with("line", "\n"), "is empty"),
        (files.with("bytes", b"sesame\xff"), "is not UTF-8"),
        (
            files.with("large", "sesame".repeat(11_000)),
            "more than 64 KiB",
        ),
    ] {
        for key in ["DATABASE_URL_FILE", "CACHE_URL_FILE", "JOURNAL_URL_FILE"] {
            let toml = format!("{} = \"{path}\"\n", key.to_lowercase());
            for refused in [
                load_from(Service::WriteBehind, None, &[(key, &path)]),
                load_from(Service::WriteBehind, Some(&toml), &[]),
            ] {
                let refused = refused.unwrap_err();
                assert_eq!(refused.key, key);
                assert!(refused.reason.contains(reason), "{refused}");
                assert!(!refused.to_string().contains("sesame"), "{refused}");
            }
        }
    }
    let fits = files.with("fits", format!("file:{}", "x".repeat((64 << 10) - 5)));
    assert!(load_from(Service::WriteBehind, None, &[("JOURNAL_URL_FILE", &fits)]).is_ok());
    let refused = load_from(Service::WriteBehind, Some("cache_url_file = 1\n"), &[]);
    assert_eq!(refused.unwrap_err().key, "CACHE_URL_FILE");
    let refused = load_from(
        Service::WriteThrough,
        Some("journal_url_file = \"x\"\n"),
        &[],
    );
    assert_eq!(refused.unwrap_err().key, "journal_url_file");
}

const MYSQL: (&str, &str) = ("DATABASE_URL", "mysql://host/users");
const REDISS: (&str, &str) = ("CACHE_URL", "rediss://host");

#[test]
fn the_files_of_tls_are_read_at_start() {
    let authority = Authority::new("CA");
    let client = authority.client("a service");
    let [certificate, key] = client.paths();
    for (prefix, url) in [("DATABASE", MYSQL), ("CACHE", REDISS)] {
        let names = ["CA", "CERT", "KEY"].map(|kind| format!("{prefix}_{kind}_FILE"));
        let paths = [authority.ca_file(), certificate, key];
        let files = names.iter().map(String::as_str).zip(paths);
        let given: Vec<_> = [url].into_iter().chain(files).collect();
        let settings = load_from(Service::WriteBehind, None, &given).unwrap();
        let tls = match prefix {
            "CACHE" => settings.cache_tls,
            _ => settings.database_tls,
        };
        assert_eq!(tls.ca_pem(), fs::read(authority.ca_file()).ok().as_deref());
        let identity = tls.identity().unwrap();
        assert_eq!(identity.certificate_pem(), fs::read(certificate).unwrap());
        assert_eq!(identity.key_pem(), fs::read(key).unwrap());
    }
    let none = load_from(Service::WriteBehind, None, &[MYSQL, REDISS]).unwrap();
    assert!(none.cache_tls.is_none() && none.database_tls.is_none());
}

#[test]
fn files_of_tls_that_cannot_be_used_are_refused_by_their_key() {
    let files = Files::new();
    let authority = Authority::new("CA");
    let (one, other) = (
        authority.client("a service"),
        authority.server(&["host"], Validity::Valid),
    );
    let ([certificate, key], [_, other_key]) = (one.paths(), other.paths());
    let text = files.with("text", "sesame");
    let broken = "-----BEGIN CERTIFICATE-----\nc2VzYW1l\n-----END CERTIFICATE-----\n";
    let broken = files.with("broken", broken);
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VzYW1l\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let encrypted = files.with("encrypted", encrypted);
    let large = files.with("large", "sesame ".repeat(600_000));
    for (prefix, url) in [("DATABASE", MYSQL), ("CACHE", REDISS)] {
        for (ca, certificate, key, refused, reason) in [
            ("/nowhere/ca", "", "", "CA", "No such file"),
            ("/nowhere/sesame", "", "", "CA", "No such file"),
            ("", certificate, "-----BEGIN sesame", "KEY", "No such file"),
            ("/dev/null", "", "", "CA", "is not a regular file"),
            ("", "/dev/null", key, "CERT", "is not a regular file"),
            ("", certificate, "/dev/null", "KEY", "is not a regular file"),
            (&large, "", "", "CA", "more than 4096 KiB"),
            (text.as_str(), "", "", "CA", "no certificate in PEM"),
            (&broken, "", "", "CA", "cannot be read"),
            (key, "", "", "CA", "no certificate in PEM"),
            ("", certificate, "", "CERT", "only together with"),
            ("", "", key, "KEY", "only together with"),
            ("", "/nowhere/cert", key, "CERT", "No such file"),
            ("", certificate, "/nowhere/key", "KEY", "No such file"),
            ("", &text, key, "CERT", "no certificate in PEM"),
            ("", &broken, key, "CERT", "cannot be read"),
            ("", certificate, &text, "KEY", "no private key in PEM"),
            ("", certificate, &encrypted, "KEY", "no private key in PEM"),
            ("", certificate, certificate, "KEY", "no private key in PEM"),
            (
                "",
                certificate,
                other_key,
                "KEY",
                "is not the key of the certificate in",
            ),
        ] {
            let names = ["CA", "CERT", "KEY"].map(|kind| format!("{prefix}_{kind}_FILE"));
            let given = names.iter().map(String::as_str).zip([ca, certificate, key]);
            let given: Vec<_> = [url].into_iter().chain(given).collect();
            let refused_by = load_from(Service::WriteThrough, None, &given).unwrap_err();
            assert_eq!(
                refused_by.key,
                format!("{prefix}_{refused}_FILE"),
                "{refused_by}"
            );
            assert!(refused_by.reason.contains(reason), "{refused_by}");
            assert!(!refused_by.to_string().contains("sesame"));
        }
    }
}

#[test]
fn files_of_tls_are_refused_where_nothing_uses_them() {
    let authority = Authority::new("CA");
    for service in [Service::WriteThrough, Service::WriteBehind] {
        for kind in ["CA", "CERT", "KEY"] {
            let (cache, database) = (
                format!("CACHE_{kind}_FILE"),
                format!("DATABASE_{kind}_FILE"),
            );
            for (url, key) in [
                (("CACHE_URL", "redis://host"), &cache),
                (("CACHE_URL", "memory:"), &cache),
                (("DATABASE_URL", "sqlite://users.db"), &database),
            ] {
                let given = [url, (key.as_str(), authority.ca_file())];
                let refused = load_from(service, None, &given).unwrap_err();
                assert_eq!(refused.key, *key, "{url:?}: {refused}");
            }
        }
    }
    let unchecked = ("CACHE_URL", "rediss://host/#insecure");
    assert_eq!(
        load_from(Service::WriteThrough, None, &[unchecked])
            .unwrap_err()
            .key,
        "CACHE_URL"
    );
}

#[test]
fn a_health_check_needs_no_setting_but_where_the_service_listens() {
    let files = Files::new();
    let ask = |arguments: &[&str], environment: &[(&str, &str)]| match asked(arguments, environment)
    {
        Ok(Command::Healthcheck { listen, ready, .. }) => Ok((listen.to_string(), ready)),
        Ok(other) => panic!("{other:?}"),
        Err(refused) => Err(refused.key),
    };
    let answer = |listen: &str, ready| Ok((listen.to_owned(), ready));
    assert_eq!(ask(&["healthcheck"], &[]), answer("127.0.0.1:8081", false));
    assert_eq!(
        ask(&["healthcheck", "--ready"], &[]),
        answer("127.0.0.1:8081", true)
    );
    let broken = [
        ("DATABASE_URL", "nonsense"),
        ("CACHE_URL_FILE", "/nowhere/url"),
        ("CACHE_CA_FILE", "/nowhere/ca"),
        ("LISTEN", "[::]:99"),
    ];
    assert_eq!(ask(&["healthcheck"], &broken), answer("[::]:99", false));
    assert_eq!(
        ask(&["healthcheck"], &[("LISTEN", "sesame")]),
        Err("LISTEN".to_owned())
    );

    let toml = files.with(
        "toml",
        "listen = \"127.0.0.1:98\"\nnonsense = 1\nbatch_max = 0\n",
    );
    for (arguments, environment) in [
        (
            ["--config", &toml, "healthcheck"].as_slice(),
            [("CONFIG_FILE", "/nowhere/toml")],
        ),
        (&["healthcheck"], [("CONFIG_FILE", &toml)]),
    ] {
        assert_eq!(ask(arguments, &environment), answer("127.0.0.1:98", false));
    }
    let nowhere = [("CONFIG_FILE", "/nowhere/toml")];
    assert_eq!(
        ask(&["healthcheck"], &nowhere),
        Err("/nowhere/toml".to_owned())
    );
    let needless = [nowhere[0], ("LISTEN", "127.0.0.1:97")];
    assert_eq!(
        ask(&["healthcheck"], &needless),
        answer("127.0.0.1:97", false)
    );
}

#[test]
fn the_environment_may_name_the_settings_file_and_the_command_line_goes_over_it() {
    let files = Files::new();
    let (one, other) = (
        files.with("one", "batch_max = 7\n"),
        files.with("other", "batch_max = 8\n"),
    );
    let batch_max = |arguments: &[&str]| match asked(arguments, &[("CONFIG_FILE", &one)]) {
        Ok(Command::Serve(settings)) => settings.batch_max,
        other => panic!("{other:?}"),
    };
    assert_eq!(batch_max(&[]), 7);
    assert_eq!(batch_max(&["--config", &other]), 8);
}
