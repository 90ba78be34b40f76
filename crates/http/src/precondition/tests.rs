use actix_web::test::TestRequest;
use bytes::Bytes;
use cache_core::model::record::Key;

use super::*;

fn read(lines: &[(&str, &[u8])]) -> Result<Preconditions, Problem> {
    let mut request = TestRequest::default();
    for (name, value) in lines {
        let value = actix_web::http::header::HeaderValue::from_bytes(value).unwrap();
        request = request.append_header((*name, value));
    }
    Preconditions::of(&request.to_http_request())
}

fn versions(numbers: &[u64]) -> Vec<Version> {
    let versions = numbers.iter().map(|number| Version::new(*number).unwrap());
    versions.collect()
}

#[test]
fn a_tag_that_is_no_version_is_legal_and_none() {
    for (line, expected) in [
        (r#""7""#, &[7][..]),
        (r#""0""#, &[0]),
        (r#""9007199254740991""#, &[9_007_199_254_740_991]),
        (r#""9007199254740992""#, &[]),
        (r#""99999999999999999999999""#, &[]),
        (r#""007""#, &[]),
        (r#""+7""#, &[]),
        (r#""-7""#, &[]),
        (r#""7.0""#, &[]),
        (r#""""#, &[]),
        (r#""*""#, &[]),
        (r#""a,b", "7""#, &[7]),
        (r#""\""#, &[]),
        ("\"\u{e9}\"", &[]),
        ("\"7\"\t,\t\"8\",\"9\"", &[7, 8, 9]),
        (r#", ,"7",, "8",,"#, &[7, 8]),
    ] {
        let expected = Some(Tags::Of(versions(expected)));
        let preconditions = read(&[("If-None-Match", line.as_bytes())]).unwrap();
        assert_eq!(preconditions.if_none_match, expected, "{line}");
        assert_eq!(preconditions.if_match, None);
        let preconditions = read(&[("If-Match", line.as_bytes())]).unwrap();
        assert_eq!(preconditions.if_match, expected, "{line}");
    }
}

#[test]
fn a_weak_tag_counts_where_alike_is_enough() {
    let line = br#"W/"7", "8", W/"9""#;
    let preconditions = read(&[("If-Match", line), ("If-None-Match", line)]).unwrap();
    assert_eq!(preconditions.if_match, Some(Tags::Of(versions(&[8]))));
    assert_eq!(
        preconditions.if_none_match,
        Some(Tags::Of(versions(&[7, 8, 9])))
    );
}

#[test]
fn several_lines_are_one_list() {
    let lines: [(&str, &[u8]); 3] = [
        ("If-Match", br#""1""#),
        ("if-match", br#""2", W/"3""#),
        ("IF-MATCH", b""),
    ];
    let preconditions = read(&lines).unwrap();
    assert_eq!(preconditions.if_match, Some(Tags::Of(versions(&[1, 2]))));
}

#[test]
fn what_is_no_list_of_tags_is_refused() {
    for line in [
        "",
        " ",
        ",",
        ", ,",
        "7",
        "'7'",
        "\"",
        "\"7",
        "7\"",
        "\"7\"8",
        "\"7\" \"8\"",
        "\"7\";",
        "\"7 8\"",
        "\"7\t\"",
        "*, *",
        "*,",
        "**",
        "*, \"7\"",
        "\"7\", *",
        "W/",
        "W/7",
        "w/\"7\"",
        "W /\"7\"",
        "W/ \"7\"",
        "W/*",
        "W/W/\"7\"",
        "\"7\", 8",
        "any",
    ] {
        for name in ["If-Match", "If-None-Match"] {
            assert!(read(&[(name, line.as_bytes())]).is_err(), "{line}");
        }
    }
    assert!(read(&[("If-Match", b"*"), ("If-Match", br#""7""#)]).is_err());
    assert!(read(&[("If-Match", b"*"), ("If-Match", b"*")]).is_err());
}

#[test]
fn the_number_of_tags_has_a_bound() {
    let list = |count: usize| vec![r#"W/"x""#; count].join(",");
    for name in ["If-Match", "If-None-Match"] {
        assert!(read(&[(name, list(TAGS_MAX).as_bytes())]).is_ok());
        assert!(read(&[(name, list(TAGS_MAX + 1).as_bytes())]).is_err());
    }
}

/// Every pair of headers over a few versions.
fn all_preconditions() -> impl Iterator<Item = Preconditions> {
    let headers = || {
        [
            None,
            Some(Tags::Any),
            Some(Tags::Of(versions(&[]))),
            Some(Tags::Of(versions(&[1]))),
            Some(Tags::Of(versions(&[2]))),
            Some(Tags::Of(versions(&[1, 2]))),
        ]
    };
    headers().into_iter().flat_map(move |if_match| {
        headers().map(|if_none_match| Preconditions {
            if_match: if_match.clone(),
            if_none_match,
        })
    })
}

#[test]
fn what_is_demanded_of_a_user_is_what_both_headers_say() {
    let body = || Some(Bytes::from("{}"));
    for preconditions in all_preconditions() {
        for (version, body) in [(0, None), (1, None), (1, body()), (2, body()), (3, body())] {
            let current = Record {
                key: Key::from("a"),
                version: Version::new(version).unwrap(),
                body,
            };
            // RFC 9110, section 13.1, word for word.
            let exists = current.body.is_some();
            let is_among = |tags: &Tags| exists && tags.have(current.version);
            let if_match = preconditions.if_match.as_ref();
            let if_none_match = preconditions.if_none_match.as_ref();
            let expected = if_match.is_none_or(is_among) && !if_none_match.is_some_and(is_among);

            for must_exist in [false, true] {
                let holds = match preconditions.demand(must_exist) {
                    Demand::That(condition) => condition.holds(&current),
                    Demand::Another(than) => exists && !than.contains(&current.version),
                };
                let expected = expected && (exists || !must_exist);
                assert_eq!(holds, expected, "{preconditions:?} of {current:?}");
            }
            if exists {
                let verdict = preconditions.of_read(current.version);
                assert_eq!(verdict == ReadVerdict::Holds, expected, "{preconditions:?}");
            }
        }
    }
}
