#![allow(clippy::unwrap_used, reason = "a test that fails says why")]

use super::*;

/// The rows of `text`: the line, and the name or the reason.
fn rows(text: &[u8]) -> Vec<(u64, String)> {
    let mut rows = CsvRows::begin(text).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let said = match row.change {
            Ok(change) => change.key().as_str().to_owned(),
            Err(problem) => String::from_utf8(problem.line(row.line, |_, _| 1)).unwrap(),
        };
        found.push((row.line, said));
    }
    found
}

#[test]
fn rows_have_their_lines_with_quotes_and_line_ends() {
    let text = b"occupation,name,age\r\n\"a,\r\n\"\"b\"\"\",Ann,30\r\n\r\nx,Bob,31\nx,Cid,32\r\n";
    let found = rows(text);
    let expected = [(2, "Ann"), (5, "Bob"), (6, "Cid")];
    assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));
}

#[test]
fn each_wrong_row_is_refused_alone_with_every_reason() {
    let mut text = b"name,age,occupation\n".to_vec();
    for row in [
        b"Ann,30".as_slice(),
        b"Ann,30,x,y",
        b" Ann,-1,",
        b"\xff,30,x",
        b"Ann,+3,x",
        &[b"Ann,3,".as_slice(), &vec![b'x'; 10_000_000]].concat(),
        &[b','; 100],
        b"Zoe,150,x",
        b"\"Ann,30,x",
        b"Bob,30,x",
    ] {
        text.extend_from_slice(row);
        text.push(b'\n');
    }
    let found = rows(&text);
    let said = [
        "has 2 fields",
        "has 4 fields",
        "white space",
        "is not UTF-8",
        "in digits alone",
        "more than 16384 bytes",
        "more than 16384 bytes",
        "Zoe",
        "not closed",
    ];
    assert_eq!(found.len(), said.len(), "{found:#?}");
    for (place, ((line, found), said)) in found.iter().zip(said).enumerate() {
        assert_eq!(*line, place as u64 + 2);
        assert!(found.contains(said), "{found}");
    }
    assert_eq!(
        found[2].1.matches(r#""field""#).count(),
        3,
        "{}",
        found[2].1
    );
}

#[test]
fn a_row_that_the_file_ends_in_is_refused() {
    for rest in ["Ann,30,Engi", "Ann,30,\"Engi", "\"Ann"] {
        let found = rows(format!("name,age,occupation\n{rest}").as_bytes());
        assert!(
            found[0].1.contains("the file ends within this line"),
            "{found:?}"
        );
    }
    assert_eq!(rows(b"name,age,occupation\n").len(), 0);
}

#[test]
fn a_heading_that_does_not_fit_is_refused_with_every_reason() {
    let refused = |text: &[u8]| CsvRows::begin(text).err().unwrap().to_string();
    let said = refused(b"name,email,name\n");
    for part in [
        "age is missing",
        "occupation is missing",
        "\"email\" is unknown",
        "name is there twice",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(refused(b"").contains("name is missing"));
    assert!(refused(b"name,age,occupation").contains("ends within this line"));
}
