//! Rows that are refused, and files that cannot be read.

use serde_json::Value;
use testkit::service::Service;

use crate::site::Site;

#[test]
fn refused_lines_are_reported_and_all_others_written() {
    let site = Site::new(Service::WriteThrough);
    let mut text = b"\xef\xbb\xbf{\"name\":\"Ann\",\"age\":1,\"occupation\":\"x\"}\r\n".to_vec();
    text.extend_from_slice(b"{\"name\":\" \",\"age\":-1,\"extra\":1}\n\n\xff\n");
    text.extend_from_slice(&vec![b'x'; 10_000_000]);
    text.extend_from_slice("\nnonsense".repeat(50_000).as_bytes());
    text.extend_from_slice(
        b"\n{\"name\":\"Bob\",\"age\":2,\"occupation\":\"y\"}\n{\"name\":\"Cid\",\"age\":3,\"occ",
    );
    let file = site.file("users.ndjson", &text);
    let errors = site.path("refused.ndjson");
    let ended = site.import(2, &[&file, "--errors", errors.to_str().unwrap()]);

    let shown: Vec<&str> = ended
        .said
        .lines()
        .filter(|line| line.starts_with("line "))
        .collect();
    assert_eq!(shown.len(), 20, "{}", ended.said);
    for (place, parts) in [
        (
            0,
            ["line 2: ", "age: ", "extra: ", "name: ", "occupation: "].as_slice(),
        ),
        (1, &["line 4: ", "UTF-8"]),
        (2, &["line 5: ", "16384 bytes"]),
        (3, &["line 6: ", "not valid JSON"]),
    ] {
        for part in parts {
            assert!(shown[place].contains(part), "{part}: {}", shown[place]);
        }
    }
    assert!(
        ended
            .out
            .contains("2 users written, 0 deleted, 50004 lines refused"),
        "{}",
        ended.out
    );
    let errors = std::fs::read_to_string(errors).unwrap();
    let lines: Vec<Value> = errors
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 50_004);
    assert_eq!(lines[0]["errors"].as_array().unwrap().len(), 4);
    assert_eq!(lines.last().unwrap()["line"], 50_007);
    assert_eq!(site.export().lines().count(), 2);
}

#[test]
fn a_file_that_cannot_be_read_changes_nothing() {
    let site = Site::new(Service::WriteThrough);
    let before = "{\"name\":\"Ann\",\"age\":1,\"occupation\":\"x\"}\n";
    let first = site.file("users.ndjson", before);
    site.import(0, &[&first]);
    let other = site.file("users.csv", "name,mail\nBob,2\n");
    let wide = site.file("wide.ndjson", b"\xff\xfe{\0");
    let unknown = site.file("users.txt", before);
    for (arguments, said) in [
        ([&*other, "--skip=0"], "the column age is missing"),
        ([&wide, "--skip=0"], "UTF-16"),
        ([&unknown, "--skip=0"], "--format"),
        (["/nowhere/users.csv", "--skip=0"], "No such file"),
        ([&first, "--errors=/nowhere/errors"], "--errors"),
    ] {
        let ended = site.import(1, &arguments);
        assert!(ended.said.contains(said), "{said}: {}", ended.said);
    }
    assert_eq!(site.export(), before);
    // A failed export leaves the file and nothing beside it.
    let ended = site.run(&["export", "/nowhere/users.csv"]);
    assert_eq!(ended.code, 1, "{}", ended.said);
}
