//! The two classic calls and their newer forms: what an answer to a valid request looks like.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::json;
use testkit::http::Response;
use testkit::records::CHARACTERS_MAX;
use testkit::service::Service;

use crate::api::{CacheStatus, cache_status, encoded, record, shown, version};
use crate::combination::{Turn, own_name};
use crate::problem::{expect_problem, problem_type};

checks!(answers:
    a_write_is_answered_with_the_classic_message,
    a_put_is_answered_as_a_post_is,
    a_put_of_another_name_than_the_paths_is_refused,
    a_read_returns_the_record_in_either_form,
    a_head_request_is_answered_as_a_get_without_the_body,
    a_write_of_a_name_again_replaces_the_whole_record,
    a_write_says_how_safe_it_is,
    the_entity_tag_is_strong_and_grows_with_every_write_of_a_name,
    a_read_after_a_write_is_a_hit,
    a_read_of_an_unknown_name_is_404_and_remembered,
    the_other_services_calls_are_unknown_here,
    a_body_of_json_is_one_line_that_ends,
    a_record_at_its_limits_is_kept_as_it_is,
    an_occupation_may_have_any_character,
    json_may_be_written_in_any_way_that_means_the_same,
    a_read_never_goes_back_behind_an_acknowledged_write,
);

#[track_caller]
fn expect_written(answer: &Response) {
    assert_eq!(answer.status, 200, "{}", shown(answer));
    assert_eq!(answer.text(), "{\"message\":\"Data write successful!\"}\n");
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    assert_eq!(answer.header("Cache-Status"), None);
}

pub(crate) fn a_write_is_answered_with_the_classic_message(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("write");
    expect_written(&api.write(&record(&name, 30, "Engineer")));
    expect_written(&api.write(&record(&name, 31, "Engineer")));
}

pub(crate) fn a_put_is_answered_as_a_post_is(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("put");
    expect_written(&api.put(&name, &json!({ "age": 30, "occupation": "Engineer" })));
    assert_eq!(api.must_get(&name), record(&name, 30, "Engineer"));
    expect_written(&api.put(&name, &record(&name, 31, "Chef")));
    assert_eq!(api.must_get(&name), record(&name, 31, "Chef"));
}

pub(crate) fn a_put_of_another_name_than_the_paths_is_refused(turn: &Turn) {
    let api = turn.shared();
    let (one, other) = (own_name("put"), own_name("put"));
    let answer = api.put(&one, &record(&other, 30, "Engineer"));
    assert_eq!(expect_problem(&answer, 422), ["name"]);
    for name in [&one, &other] {
        assert_eq!(api.get(name).status, 404);
    }
}

pub(crate) fn a_read_returns_the_record_in_either_form(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("read");
    let written = record(&name, 30, "Engineer");
    let written_version = api.must_write(&written);
    for answer in [api.read(&name), api.get(&name)] {
        assert_eq!(answer.status, 200, "{}", shown(&answer));
        assert_eq!(answer.json(), written);
        assert_eq!(answer.header("Content-Type"), Some("application/json"));
        assert_eq!(version(&answer), written_version);
    }
}

pub(crate) fn a_head_request_is_answered_as_a_get_without_the_body(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("head");
    let missing = own_name("head");
    api.must_write(&record(&name, 30, "Engineer"));
    let paths = [
        format!("/users/{}", encoded(&name)),
        format!("/users/{}", encoded(&missing)),
        "/users?limit=0".to_owned(),
        "/healthz".to_owned(),
        "/nowhere".to_owned(),
    ];
    for path in paths {
        // Twice, since the first read of a missing name is a miss and the next one is not.
        api.client().get(&path);
        let get = api.wire("GET", &path, &[], None);
        let head = api.wire("HEAD", &path, &[], None);
        assert_eq!(head.status, get.status, "{path}");
        assert!(!get.body.is_empty() && head.body.is_empty(), "{path}");
        for field in ["Content-Type", "Content-Length", "ETag", "Cache-Status"] {
            assert_eq!(head.header(field), get.header(field), "{path} {field}");
        }
    }
}

pub(crate) fn a_write_of_a_name_again_replaces_the_whole_record(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("again");
    for (age, occupation) in [
        (30, "Engineer"),
        (31, "Engineer"),
        (0, "None"),
        (150, "Sage"),
    ] {
        api.must_write(&record(&name, age, occupation));
        assert_eq!(api.must_get(&name), record(&name, age, occupation));
    }
}

pub(crate) fn a_write_says_how_safe_it_is(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("durability");
    let expected = if turn.is_write_behind() {
        "journaled"
    } else {
        "persisted"
    };
    let answers = [
        api.write(&record(&name, 30, "Engineer")),
        api.put(&name, &record(&name, 31, "Engineer")),
        api.delete(&name),
    ];
    for answer in answers {
        assert_eq!(answer.header("Durability"), Some(expected));
    }
    assert_eq!(api.get(&name).header("Durability"), None);
}

pub(crate) fn the_entity_tag_is_strong_and_grows_with_every_write_of_a_name(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("version");
    let mut newest = 0;
    for age in 0..20 {
        let written = match age % 4 {
            0 | 1 => api.write(&record(&name, age, "Engineer")),
            2 => api.put(&name, &record(&name, age, "Engineer")),
            _ => api.delete(&name),
        };
        assert!(written.status < 300, "{}", shown(&written));
        assert!(version(&written) > newest);
        newest = version(&written);
        if written.status == 200 {
            assert_eq!(version(&api.get(&name)), newest);
            assert_eq!(version(&api.read(&name)), newest);
        }
    }
}

pub(crate) fn a_read_after_a_write_is_a_hit(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("hit");
    for age in 0..5 {
        api.must_write(&record(&name, age, "Engineer"));
        for answer in [api.get(&name), api.read(&name)] {
            assert_eq!(cache_status(&answer), CacheStatus::Hit);
            let cache = answer.header("Cache-Status").unwrap();
            let own = turn.service().write_path().trim_start_matches('/');
            assert_eq!(cache, format!("{own}; hit"));
        }
    }
}

pub(crate) fn a_read_of_an_unknown_name_is_404_and_remembered(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("unknown");
    for expected in [CacheStatus::Miss { stored: true }, CacheStatus::Hit] {
        let answer = api.get(&name);
        expect_problem(&answer, 404);
        assert_eq!(cache_status(&answer), expected);
        assert_eq!(answer.header("ETag"), None);
    }
    expect_problem(&api.read(&name), 404);
    // What is remembered does not outlive a write.
    api.must_write(&record(&name, 30, "Engineer"));
    assert_eq!(api.must_get(&name), record(&name, 30, "Engineer"));
}

pub(crate) fn the_other_services_calls_are_unknown_here(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("elsewhere");
    let mut others = Service::all().into_iter();
    let other = others.find(|other| *other != turn.service()).unwrap();
    let not_here: &[&str] = if turn.is_write_behind() {
        &["/write-through", "/read-through", "/read-through/x"]
    } else {
        &[
            "/write-behind",
            "/read-behind",
            "/journal",
            "/flush",
            "/dead-letters",
            "/dead-letters/x/replay",
        ]
    };
    for path in not_here {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let body = record(&name, 30, "Engineer").to_string();
            let headers = [("Content-Type", "application/json")];
            let answer = api.wire(method, path, &headers, Some(body.as_bytes()));
            assert_eq!(problem_type(&answer), "no-such-route");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            for said in [other.name(), &other.default_port().to_string(), "cargo run"] {
                assert!(detail.contains(said), "{path}: {detail}");
            }
        }
    }
    assert_eq!(api.get(&name).status, 404);
    // What neither has is no route of the other.
    for path in ["/nowhere", "/write-through-x", "//write-behind"] {
        let answer = api.client().get(path).json();
        assert_eq!(answer["detail"], "there is no such resource", "{path}");
    }
}

pub(crate) fn a_body_of_json_is_one_line_that_ends(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("line");
    let write = api.write(&record(&name, 30, "Engineer"));
    let mut answers = vec![write, api.get(&name), api.read(&name)];
    let mut paths = vec![
        "/users?limit=1",
        "/users?limit=0",
        "/users/absent",
        "/nowhere",
        "/healthz",
        "/readyz",
    ];
    if turn.is_write_behind() {
        answers.push(api.client().request("POST", "/flush", &[], None));
        paths.extend(["/journal", "/dead-letters"]);
    }
    answers.extend(paths.into_iter().map(|path| api.client().get(path)));
    for answer in answers {
        let text = answer.text();
        let is_line = text.ends_with("}\n") && text.lines().count() == 1;
        assert!(is_line, "{}", shown(&answer));
        let length = answer.body.len().to_string();
        assert_eq!(answer.header("Content-Length"), Some(length.as_str()));
    }
}

pub(crate) fn a_record_at_its_limits_is_kept_as_it_is(turn: &Turn) {
    let api = turn.shared();
    let widest = "😀".repeat(CHARACTERS_MAX);
    let name = own_name("limits");
    for (age, occupation) in [(0, "x"), (150, widest.as_str()), (1, &"x".repeat(255))] {
        api.must_write(&record(&name, age, occupation));
        assert_eq!(api.must_get(&name), record(&name, age, occupation));
    }
    // Each character written as the twelve of a surrogate pair.
    let start = own_name("limits");
    let rest = CHARACTERS_MAX - start.len();
    let escaped = r"\ud83d\ude00";
    let body = format!(
        r#"{{"name":"{start}{}","age":7,"occupation":"{}"}}"#,
        escaped.repeat(rest),
        escaped.repeat(CHARACTERS_MAX)
    );
    let headers = [("Content-Type", "application/json")];
    let answer = api.wire(
        "POST",
        turn.service().write_path(),
        &headers,
        Some(body.as_bytes()),
    );
    expect_written(&answer);
    let longest = format!("{start}{}", "😀".repeat(rest));
    assert_eq!(api.must_get(&longest), record(&longest, 7, &widest));
}

pub(crate) fn an_occupation_may_have_any_character(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("occupation");
    for occupation in [
        " ",
        " padded ",
        "\t\n\r",
        "\0",
        "\u{7f}\u{85}\u{a0}\u{2028}",
        "\"\\/\u{8}\u{c}",
        "\u{ffff}\u{10ffff}",
        "é e\u{301} ſ İ 👨‍👩‍👧‍👦",
        "'; DROP TABLE users; --",
        "{\"name\":1}",
    ] {
        api.must_write(&record(&name, 30, occupation));
        assert_eq!(api.must_get(&name), record(&name, 30, occupation));
    }
}

pub(crate) fn json_may_be_written_in_any_way_that_means_the_same(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("json");
    let escaped: String = name.bytes().map(|byte| format!("\\u{byte:04X}")).collect();
    let bodies = [
        format!(r#"{{"name":"{name}","age":1,"occupation":"a/b é"}}"#),
        format!("\r\n\t {{ \"name\" : \"{name}\" ,\n\"age\":\t1 , \"occupation\":\"a/b é\" }} \n"),
        format!(r#"{{"occupation":"a\/b \u00e9","age":1,"name":"{escaped}"}}"#),
        format!(r#"{{"\u006eame":"{name}","\u0061ge":1,"occupation":"a/b \u00E9"}}"#),
    ];
    for (index, body) in bodies.iter().enumerate() {
        api.must_write(&record(&name, 100, "in between"));
        let headers = [("Content-Type", "application/json")];
        let path = turn.service().write_path();
        expect_written(&api.wire("POST", path, &headers, Some(body.as_bytes())));
        assert_eq!(api.must_get(&name), record(&name, 1, "a/b é"), "{index}");
    }
}

pub(crate) fn a_read_never_goes_back_behind_an_acknowledged_write(turn: &Turn) {
    const WRITERS: u8 = 3;
    const WRITES_EACH: u8 = 40;
    let api = turn.shared();
    let name = own_name("race");
    let newest_acknowledged = AtomicU64::new(api.must_write(&record(&name, 0, "first")));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (api, name, newest) = (&api, &name, &newest_acknowledged);
                scope.spawn(move || {
                    for age in 0..WRITES_EACH {
                        let written = api.must_write(&record(name, age, &format!("w{writer}")));
                        newest.fetch_max(written, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(|| {
                let mut newest_read = 0;
                while !done.load(Ordering::SeqCst) {
                    let at_least = newest_read.max(newest_acknowledged.load(Ordering::SeqCst));
                    let answer = api.get(&name);
                    assert_eq!(answer.status, 200);
                    newest_read = version(&answer);
                    assert!(newest_read >= at_least, "{newest_read} < {at_least}");
                }
            });
        }
        let outcomes: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Ordering::SeqCst);
        assert!(outcomes.iter().all(Result::is_ok));
    });
    let last = version(&api.get(&name));
    assert_eq!(last, newest_acknowledged.load(Ordering::SeqCst));
}
