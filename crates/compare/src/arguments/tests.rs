use clap::CommandFactory as _;

use super::*;

fn arguments(words: &[&str]) -> std::result::Result<Arguments, clap::Error> {
    Arguments::try_parse_from(["compare"].iter().chain(words))
}

fn workload(words: &[&str]) -> Workload {
    arguments(words).unwrap().workload.workload().unwrap()
}

#[test]
fn the_help_says_what_steady_is() {
    Arguments::command().debug_assert();
    let help = Arguments::command().render_long_help().to_string();
    let steady = Preset::Steady.workload();
    let Rate::PerSecond(rate) = steady.rate else {
        panic!("no rate");
    };
    let words = help.split_whitespace().collect::<Vec<&str>>().join(" ");
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
        assert!(words.contains(&default), "{default}: {words}");
    }
}

#[test]
fn without_options_the_three_workloads_are_run_three_times() {
    let (workloads, repeat) = arguments(&[]).unwrap().workloads().unwrap();
    assert_eq!((workloads, repeat), (question().to_vec(), 3));
    // Also with options that are not about the load.
    let words = ["--details", "--baseline", "--repeat", "2"];
    let (workloads, repeat) = arguments(&words).unwrap().workloads().unwrap();
    assert_eq!((workloads.len(), repeat), (3, 2));
    // Any option of a workload, and a preset, runs that alone.
    for words in [
        &["--preset", "steady"][..],
        &["--rate", "5"],
        &["--seed", "1"],
    ] {
        let (workloads, repeat) = arguments(words).unwrap().workloads().unwrap();
        assert_eq!((workloads, repeat), (vec![workload(words)], 1));
    }
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
    assert_eq!(
        workload(&["--preset", "burst", "--burst", "1"]).bursts,
        None
    );
}

#[test]
fn an_option_changes_what_the_preset_says_and_nothing_else() {
    let preset = Preset::DatabaseOutage.workload();
    let longer = workload(&["--preset", "database-outage", "--duration", "36"]);
    let fault = preset.fault.unwrap();
    assert_eq!(longer.preset, preset.preset);
    let expected = (fault.from * 2, fault.until * 2);
    assert_eq!(
        longer.fault.map(|fault| (fault.from, fault.until)),
        Some(expected)
    );
    let faster = workload(&["--preset", "database-outage", "--rate", "5"]);
    let expected = Workload {
        preset: None,
        rate: Rate::PerSecond(5.0),
        ..preset
    };
    assert_eq!(faster, expected);
    // What is asked for has its way, and the preset's share of the others makes room.
    assert_eq!(workload(&["--reads", "1"]).deletes, 0.0);
}

#[test]
fn what_makes_no_sense_is_refused_with_the_option() {
    for (words, says) in [
        (&["--duration", "0.5"][..], "--duration"),
        (&["--duration=-1"], "--duration"),
        (&["--rate", "0"], "--rate"),
        (&["--rate", "nan"], "--rate"),
        (&["--connections", "4097"], "--connections"),
        (&["--names", "0"], "--names"),
        (&["--value-size", "19"], "--value-size"),
        (&["--reads", "1.5"], "--reads"),
        (&["--deletes", "NaN"], "--deletes"),
        (&["--zipf", "0"], "--zipf"),
        (&["--burst", "0.5"], "--burst"),
        (&["--burst-share", "1"], "--burst-share"),
        (&["--slow-down", "0"], "--slow-down"),
        (&["--repeat", "0"], "--repeat"),
        (&["--rate", "5", "--saturate"], "--saturate"),
        (&["--slow-down", "5", "--outage"], "--outage"),
        (&["--live", "--details"], "--live"),
        (&["--cache", "redis://h"], "--database"),
        (
            &["--cache", "mysql://h", "--database", "mysql://h"],
            "redis://",
        ),
        (
            &[
                "--write-through",
                "http://h",
                "--write-behind",
                "http://h/x",
            ],
            "without a path",
        ),
    ] {
        let refused = arguments(words).unwrap_err();
        assert!(
            refused.use_stderr() && refused.exit_code() == 2,
            "{words:?}"
        );
        assert!(refused.to_string().contains(says), "{words:?}: {refused}");
    }
    for (words, says) in [
        (&["--reads", "0.8", "--deletes", "0.3"][..], "together"),
        (&["--burst", "5", "--saturate"], "--saturate"),
        (&["--burst", "5", "--rate", "1000000"], "--rate"),
        (&["--burst", "5", "--burst-period", "21"], "--burst-period"),
        (&["--burst-period", "3"], "want --burst"),
        (
            &["--outage", "--fault-from", "9", "--fault-until", "8"],
            "in this order",
        ),
        (&["--outage", "--fault-until", "21"], "within --duration"),
        (&["--fault-from", "9"], "want --outage"),
    ] {
        let refused = arguments(words).unwrap().workload.workload();
        let Err(Error::Usage(sentence)) = refused else {
            panic!("{words:?}: {refused:?}");
        };
        assert!(sentence.contains(says), "{words:?}: {sentence}");
    }
}

#[test]
fn a_password_is_not_repeated_whatever_is_wrong() {
    for words in [
        &["mysql://root:secret@localhost"][..],
        &["--live=redis://:secret@h"],
        &["--rate", "redis://u:secret@h"],
        &[
            "--cache=redis://u:secret@host:99999",
            "--database",
            "mysql://h",
        ],
        &["--cache", "http://u:secret@h", "--database", "mysql://h"],
        &[
            "--cache",
            "redis://u:secret@h",
            "--database",
            "mysql://u:secret@h?a=b",
            "--rate",
            "x",
        ],
        &[
            "--write-through",
            "http://u:secret@h",
            "--write-behind",
            "http://h",
        ],
    ] {
        let refused = arguments(words).unwrap_err();
        let said = complaint(&refused, words.iter().map(|word| (*word).to_owned()));
        assert!(!said.contains("secret"), "{words:?}: {said}");
    }
    for (word, shown) in [
        (
            "mysql://root:secret@localhost:3306/",
            "mysql://root:***@localhost:3306/",
        ),
        (
            "--database=mysql://root:secret@h/?a=b",
            "--database=mysql://root:***@h/?a=b",
        ),
        ("--cache=redis://u:secret@host:99999", "--cache=***"),
        ("redis://localhost:6379", "redis://localhost:6379"),
        ("--rate=5", "--rate=5"),
    ] {
        assert_eq!(without_password(word), shown);
    }
}
