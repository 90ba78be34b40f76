//! Settings that are wrong, and the command line.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;
use testkit::service::{Service, ServiceProcess, run_to_end};

/// Exit code of bad settings.
const BAD_SETTINGS: i32 = 64;
const SECRET: &str = "sesame";

fn run(command: &mut Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = run_to_end(command);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// Runs the service in an empty folder with a settings file.
fn with_file(service: Service, text: &str, env: &[(&str, &str)]) -> (i32, String, String) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("settings.toml");
    fs::write(&file, text).unwrap();
    let mut command = service.command();
    command.arg("--config").arg(&file).current_dir(&folder);
    run(command.envs(env.iter().copied()))
}

#[track_caller]
fn expect_refused((code, stdout, stderr): (i32, String, String), key: &str) {
    assert_eq!(code, BAD_SETTINGS, "{key}: {stderr}");
    assert!(stderr.contains(key), "{key}: {stderr}");
    assert!(!stderr.contains(SECRET), "{stderr}");
    assert!(stderr.lines().count() <= 3, "{stderr}");
    assert_eq!(stdout, "");
}

#[test]
fn an_unknown_setting_in_the_file_is_refused_by_its_name() {
    for service in Service::all() {
        for (text, key) in [
            ("cache_tll_s = 7", "cache_tll_s"),
            ("password = \"sesame\"", "password"),
            ("listen = \"127.0.0.1:0\"\nport = 8080", "port"),
            (
                "[database]\nurl = \"mysql://me:sesame@host/users\"",
                "database",
            ),
        ] {
            expect_refused(with_file(service, text, &[]), key);
        }
    }
    let journal = "journal_sync = \"os\"";
    expect_refused(
        with_file(Service::WriteThrough, journal, &[]),
        "journal_sync",
    );
}

#[test]
fn a_bad_value_is_refused_by_its_key_and_not_repeated() {
    for service in Service::all() {
        for (key, value) in [
            ("LISTEN", "sesame"),
            ("LISTEN", "localhost"),
            ("LISTEN", "127.0.0.1:65536"),
            ("DATABASE_URL", "postgres://me:sesame@host/users"),
            ("DATABASE_URL", "mysql://me:sesame@host"),
            ("DATABASE_URL", "mysql://me:sesame@host/us`ers"),
            ("DATABASE_URL", "sesame"),
            (
                "DATABASE_URL",
                "mysql://me:sesame@127.0.0.1/users?verify_identity=true",
            ),
            ("CACHE_URL", "memcached://me:sesame@host"),
            ("CACHE_URL", "sesame"),
            ("BATCH_MAX", "0"),
            ("BATCH_MAX", "-1"),
            ("BATCH_MAX", "sesame"),
            ("CACHE_TTL_S", "1.5"),
            ("CACHE_TTL_S", "99999999999999999999"),
            ("LOG", "a=b=sesame"),
            ("LOG_FORMAT", "sesame"),
        ] {
            let mut command = service.command();
            let folder = TempDir::new().unwrap();
            command.env(key, value).current_dir(&folder);
            expect_refused(run(&mut command), key);

            let text = format!("{} = \"{value}\"", key.to_lowercase());
            expect_refused(with_file(service, &text, &[]), key);
            // What the file says is checked though the environment goes over it, or not at all.
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        }
    }
    for (key, value) in [
        ("JOURNAL_URL", "redis://:sesame@host"),
        ("JOURNAL_SYNC", "sesame"),
        ("DRAIN_BATCH_MAX", "0"),
    ] {
        let mut command = Service::WriteBehind.command();
        expect_refused(run(command.env(key, value)), key);
    }
}

#[test]
fn a_secret_may_be_in_a_file_which_is_not_repeated_when_it_is_wrong() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("secret");
    let path = path.to_str().unwrap();
    for service in Service::all() {
        fs::write(path, "sqlite://from_the_file.db\n").unwrap();
        let given = [("DATABASE_URL_FILE", path)];
        let process = ServiceProcess::start_in(folder.path(), service, &given);
        assert!(folder.path().join("from_the_file.db").exists());
        drop(process);

        for (content, key) in [
            ("", "DATABASE_URL_FILE"),
            ("postgres://me:sesame@host/users", "DATABASE_URL"),
        ] {
            fs::write(path, content).unwrap();
            expect_refused(run(service.command().envs(given)), key);
        }
        let twice = [given[0], ("DATABASE_URL", "mysql://me:sesame@host/users")];
        expect_refused(run(service.command().envs(twice)), "DATABASE_URL_FILE");
        let text = format!("database_url_file = \"{path}\"\ncache_ca_file = \"{path}\"");
        fs::write(path, "mysql://me:sesame@host/users").unwrap();
        expect_refused(with_file(service, &text, &[]), "CACHE_CA_FILE");
    }
}

#[test]
fn a_pipe_without_a_writer_is_refused_as_a_file() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("sesame");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    for service in Service::all() {
        for (key, url) in [
            ("DATABASE_URL_FILE", ("CACHE_URL", "memory:")),
            ("CACHE_CA_FILE", ("CACHE_URL", "rediss://127.0.0.1")),
        ] {
            let mut command = service.command();
            command.env(key, &pipe).envs([url]);
            expect_refused(run(command.current_dir(&folder)), key);
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_refused_by_its_path() {
    for service in Service::all() {
        let mut command = service.command();
        command.args(["--config", "/nowhere/settings.toml"]);
        expect_refused(run(&mut command), "/nowhere/settings.toml");
        expect_refused(
            with_file(service, "sesame sesame = =", &[]),
            "settings.toml",
        );
    }
}

#[test]
fn bad_arguments_are_refused() {
    for service in Service::all() {
        for arguments in [
            ["--nope"].as_slice(),
            &["serve"],
            &["--config"],
            &["migrate", "now"],
        ] {
            let (code, stdout, stderr) = run(service.command().args(arguments));
            assert_eq!((code, stdout.as_str()), (BAD_SETTINGS, ""), "{arguments:?}");
            assert!(stderr.contains(arguments[arguments.len() - 1]), "{stderr}");
        }
    }
}

#[test]
fn help_lists_every_setting_with_its_default() {
    for service in Service::all() {
        let (code, help, stderr) = run(service.command().arg("--help"));
        assert_eq!((code, stderr.as_str()), (0, ""));
        let own = service.write_path().trim_start_matches('/');
        for (setting, default) in [
            ("LISTEN", service.default_port().to_string()),
            ("DATABASE_URL", format!("sqlite://data/{own}/users.db")),
            ("CACHE_URL", "memory:".to_owned()),
        ] {
            let mut lines = help.lines().map(str::trim_start);
            let line = lines.find(|line| line.starts_with(&format!("{setting} ")));
            let line = line.unwrap_or_else(|| panic!("no {setting}: {help}"));
            assert!(line.contains(&default), "{line}");
            // Not only a name and a default.
            assert!(line.len() > setting.len() + default.len() + 20, "{line}");
        }
        let has_journal = help.contains("JOURNAL_URL");
        assert_eq!(has_journal, service == Service::WriteBehind);
        for known in [
            "--config",
            "CONFIG_FILE",
            "migrate",
            "identity",
            "healthcheck",
        ] {
            assert!(help.contains(known), "{known}: {help}");
        }

        let (code, version, _) = run(service.command().arg("--version"));
        assert_eq!(code, 0);
        assert!(version.starts_with(service.name()), "{version}");
    }
}

#[test]
fn the_environment_goes_over_the_file() {
    for service in Service::all() {
        // A valid value in the environment does not excuse a bad one of another key in the file.
        let env = [("CACHE_URL", "memory:")];
        let outcome = with_file(service, "cache_ttl_s = 0", &env);
        expect_refused(outcome, "CACHE_TTL_S");
        let env = [("CACHE_TTL_S", "sesame")];
        expect_refused(with_file(service, "cache_ttl_s = 7", &env), "CACHE_TTL_S");
    }
}

#[test]
fn a_service_serves_until_a_signal_whatever_it_logs() {
    for service in Service::all() {
        for filter in ["off", "error", "info"] {
            let mut process = ServiceProcess::start(service, &[("LOG", filter)]);
            for _ in 0..100 {
                let health = process.client().get("/healthz");
                assert_eq!(health.status, 200, "{filter}");
            }
            assert!(process.terminate().success(), "{filter}");
        }
    }
}
