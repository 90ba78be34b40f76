use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::*;

fn arguments(words: &[&str]) -> std::result::Result<Arguments, clap::Error> {
    Arguments::try_parse_from(["compare"].iter().chain(words))
}

fn workload(words: &[&str]) -> Workload {
    arguments(words).unwrap().workload.workload().unwrap()
}

fn refused(words: &[&str]) -> String {
    let refused = arguments(words).unwrap().workload.workload();
    match refused {
        Err(Error::Usage(sentence)) => sentence,
        other => panic!("{words:?}: {other:?}"),
    }
}

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn what_the_help_says_of_steady_is_so() {
    let help = Arguments::command().render_long_help().to_string();
    let steady = Preset::Steady.workload();
    let Rate::PerSecond(rate) = steady.rate else {
        panic!("no rate");
    };
    for default in [
        format!("in seconds ({})", steady.duration.as_secs()),
        format!("are answered ({rate})"),
        format!("at a time ({})", steady.connections),
        format!("read, 0 to 1 ({})", steady.reads),
        format!("delete, 0 to 1 ({})", steady.deletes),
        format!("there are ({})", steady.names),
        format!("20 to 255 ({})", steady.value_chars),
        format!("same seed ({})", steady.seed),
    ] {
        assert!(help.contains(&default), "{default}: {help}");
    }
    assert_eq!(steady.skew, Skew::Uniform);
}

#[test]
fn nothing_asked_for_is_the_steady_workload() {
    assert_eq!(workload(&[]), Preset::Steady.workload());
}

#[test]
fn an_option_changes_what_the_preset_says_and_nothing_else() {
    let preset = Preset::HotKeys.workload();
    let changed = workload(&[
        "--preset", "hot-keys", "--rate", "123", "--names", "7", "--seed", "9",
    ]);
    let expected = Workload {
        preset: None,
        rate: Rate::PerSecond(123.0),
        names: 7,
        seed: 9,
        ..preset
    };
    assert_eq!(changed, expected);
}

#[test]
fn every_option_of_the_workload_arrives() {
    let words = "--duration 30s --rate 50 --connections 3 --reads 0.375 --deletes 0.125 --names 11 --zipf 1.5 \
                 --value-size 200 --burst 4 --burst-period 10 --burst-share 0.5 --slow-down 20 --fault-from 5 \
                 --fault-until 7.5 --seed 42";
    let words: Vec<&str> = words.split_whitespace().collect();
    let expected = Workload {
        preset: None,
        duration: Duration::from_secs(30),
        rate: Rate::PerSecond(50.0),
        connections: 3,
        reads: 0.375,
        deletes: 0.125,
        names: 11,
        skew: Skew::Zipf(1.5),
        value_chars: 200,
        bursts: Some(Bursts {
            factor: 4.0,
            period: Duration::from_secs(10),
            share: 0.5,
        }),
        fault: Some(Fault {
            kind: FaultKind::SlowDown {
                delay: Duration::from_millis(20),
            },
            from: Duration::from_secs(5),
            until: Duration::from_millis(7500),
        }),
        seed: 42,
    };
    assert_eq!(workload(&words), expected);
    let uniform = workload(&["--preset", "hot-keys", "--uniform"]);
    assert_eq!(uniform.skew, Skew::Uniform);
    let saturating = workload(&["--preset", "burst", "--saturate"]);
    assert_eq!(
        (saturating.rate, saturating.bursts),
        (Rate::Saturation, None)
    );
    let shorter = workload(&["--preset", "burst", "--burst-period", "3"]);
    let preset = Preset::Burst.workload().bursts.unwrap();
    let period = Duration::from_secs(3);
    assert_eq!(shorter.bursts, Some(Bursts { period, ..preset }));
    let even = workload(&["--preset", "burst", "--burst", "1"]);
    assert_eq!(even.bursts, None);
}

#[test]
fn bursts_are_those_of_the_preset_but_for_what_is_said() {
    let preset = Preset::Burst.workload().bursts.unwrap();
    assert_eq!(workload(&["--preset", "burst"]).bursts, Some(preset));
    let higher = workload(&["--preset", "burst", "--burst", "2.5"]);
    assert_ne!(preset.factor, 2.5);
    assert_eq!(
        higher.bursts,
        Some(Bursts {
            factor: 2.5,
            ..preset
        })
    );
    let without_a_preset = workload(&["--burst", "2.5"]);
    assert_eq!(
        without_a_preset.bursts,
        Some(Bursts {
            factor: 2.5,
            period: Duration::from_secs(5),
            share: 0.2,
        })
    );
}

#[test]
fn a_workload_that_was_changed_has_no_name() {
    let name = |words: &[&str]| workload(words).preset;
    assert_eq!(name(&[]), Some("steady"));
    assert_eq!(name(&["--duration", "60", "--seed", "3"]), Some("steady"));
    assert_eq!(
        name(&["--preset", "burst", "--duration", "2"]),
        Some("burst")
    );
    assert_eq!(name(&["--rate", "300"]), None);
    assert_eq!(name(&["--outage"]), None);
    assert_eq!(name(&["--preset", "hot-keys", "--uniform"]), None);
}

#[test]
fn what_is_asked_for_makes_room_for_itself() {
    let shares = |words: &[&str]| (workload(words).reads, workload(words).deletes);
    assert_eq!(shares(&["--reads", "1"]), (1.0, 0.0));
    assert_eq!(shares(&["--deletes", "1"]), (0.0, 1.0));
    assert_eq!(shares(&["--reads", "0.5"]), (0.5, 0.02));
    let short = workload(&["--preset", "burst", "--duration", "2"]);
    assert_eq!(short.bursts.unwrap().period, Duration::from_secs(2));
}

#[test]
fn a_longer_run_has_its_fault_in_the_same_part_of_it() {
    let preset = Preset::DatabaseOutage.workload();
    let longer = workload(&["--preset", "database-outage", "--duration", "600"]);
    let part = |workload: &Workload| {
        let fault = workload.fault.unwrap();
        fault.from.as_secs_f64() / workload.duration.as_secs_f64()
    };
    assert!((part(&preset) - part(&longer)).abs() < 1e-9);
    let outage = workload(&["--outage", "--duration", "9"]);
    let fault = outage.fault.unwrap();
    assert_eq!((fault.from.as_secs(), fault.until.as_secs()), (3, 6));
}

#[test]
fn what_makes_no_sense_is_refused_with_the_option_that_is_wrong() {
    for (words, says) in [
        (&["--reads", "1.5"][..], "--reads"),
        (&["--reads", "0.6", "--deletes", "0.6"], "--deletes"),
        (&["--connections", "0"], "--connections"),
        (&["--rate", "0"], "--rate"),
        (&["--rate", "nan"], "--rate"),
        (&["--zipf=-1"], "--zipf"),
        (&["--names", "0"], "--names"),
        (&["--value-size", "300"], "--value-size"),
        (&["--duration", "0"], "--duration"),
        (
            &["--outage", "--fault-from", "7", "--fault-until", "3"],
            "--fault-until",
        ),
        (&["--outage", "--fault-until", "1000"], "--fault-until"),
        (&["--fault-from", "1"], "--outage"),
        (&["--fault-until", "1"], "--outage"),
        (&["--slow-down", "0"], "--slow-down"),
        (&["--saturate", "--burst", "3"], "--burst"),
        (&["--burst-share", "0.5"], "want --burst"),
        (&["--burst-period", "2"], "want --burst"),
        (&["--burst", "0.5"], "--burst"),
        (&["--burst", "3", "--burst-period", "0"], "--burst-period"),
        (&["--burst", "3", "--burst-share", "1"], "--burst-share"),
    ] {
        let sentence = refused(words);
        assert!(sentence.contains(says), "{words:?}: {sentence}");
        // A sentence must not name an option that does not exist.
        let command = Arguments::command();
        let named = sentence.split(|c: char| c != '-' && !c.is_ascii_lowercase());
        for option in named.filter_map(|word| word.strip_prefix("--")) {
            let is_there = |argument: &clap::Arg| argument.get_long() == Some(option);
            assert!(command.get_arguments().any(is_there), "{sentence}");
        }
    }
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    for words in [
        &["--rate", "1", "--saturate"][..],
        &["--zipf", "1", "--uniform"],
        &["--outage", "--slow-down", "5"],
        &[
            "--cache",
            "redis://localhost",
            "--write-through",
            "http://localhost",
            "--write-behind",
            "http://localhost",
            "--database",
            "mysql://localhost",
        ],
        &[
            "--no-build",
            "--write-through",
            "http://localhost",
            "--write-behind",
            "http://localhost",
        ],
    ] {
        let kind = arguments(words).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::ArgumentConflict, "{words:?}");
    }
    for words in [
        &["--cache", "redis://localhost"][..],
        &["--database", "mysql://localhost"],
        &["--write-through", "http://localhost"],
        &["--write-behind", "http://localhost"],
        &["--listen", "127.0.0.1:1"],
    ] {
        let kind = arguments(words).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::MissingRequiredArgument, "{words:?}");
    }
}

#[test]
fn a_url_that_is_refused_is_not_repeated() {
    let servers = |cache: &str, database: &str| {
        arguments(&["--cache", cache, "--database", database]).unwrap_err()
    };
    let services = |write_through: &str| {
        let other = ["--write-behind", "http://h:2"];
        arguments(&["--write-through", write_through, other[0], other[1]]).unwrap_err()
    };
    for (error, option) in [
        (
            servers("redis://h", "mysql://root:hidden@h:port"),
            "--database",
        ),
        (
            servers("redis://root:hidden@h:port", "mysql://h"),
            "--cache",
        ),
        (servers("redis://h", "//root:hidden@h"), "--database"),
        (services("http://me:hidden@h:1"), "--write-through"),
        (services("http://h:1/hidden"), "--write-through"),
        (services("http://me:hidden@h:port"), "--write-through"),
    ] {
        assert_eq!(error.kind(), ErrorKind::ValueValidation, "{error}");
        assert!(error.to_string().contains(option), "{error}");
        assert!(!error.to_string().contains("hidden"), "{error}");
    }
}

#[test]
fn any_option_of_a_workload_asks_for_one() {
    assert!(!arguments(&["--live"]).unwrap().workload.is_asked_for());
    for words in [
        &["--rate", "5"][..],
        &["--names", "5"],
        &["--uniform"],
        &["--seed", "1"],
        &["--saturate"],
    ] {
        let asked = arguments(words).unwrap().workload;
        assert!(asked.is_asked_for(), "{words:?}");
    }
}
