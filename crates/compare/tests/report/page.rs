//! The page is whole, needs nothing else, and lets nothing from outside be more than text.

use compare::report::html::page;
use compare::report::pictures::Picture;

use crate::pictures::in_page;
use crate::samples::{all, named};

#[test]
fn the_page_has_all_that_the_report_has() {
    let report = named("outage");
    let page = page(&report);
    let expected = [
        "<html lang=\"en\">",
        "<h2 id=\"warnings\">Read these figures with care</h2>\n<ul>\n<li>The tool itself used 41 %",
        "<th scope=\"rowgroup\" colspan=\"3\">Latency, all (ms)</th>",
        "<th scope=\"row\">p99</th><td>4.10</td><td><b>1.80</b></td>",
        "<th scope=\"row\">entries waiting</th><td class=\"unknown\">–</td><td>6,180</td>",
        "2,000 requests a second were sent over 64 connections",
        "In the last 20 % of every 5.0 s the rate was 3 times as high.",
        "From 6.0 s to 12.0 s the database could not be reached.",
        "Of the requests 48 % wrote, 50 % read, 2 % deleted, of 10,000 names, the kth most popular in \
         proportion to 1/k^0.99; a written value had 100 characters.",
        "8 processors, AMD EPYC 7763 64-Core Processor; 32.0 GiB of memory; Linux 6.12.9",
        "--cache redis://127.0.0.1:6379",
        "0.1.0 (cbcf5cf)",
        "How to read this",
    ];
    for part in expected {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    for picture in Picture::ALL {
        assert!(page.contains(&format!("id=\"{}\"", picture.file_stem())));
    }
    // Each for a screen and for a phone.
    assert_eq!(in_page(&page).len(), 2 * Picture::ALL.len());
}

#[test]
fn the_most_important_finding_is_the_headline_and_is_not_said_twice() {
    let report = named("steady");
    let page = page(&report);
    let headline = "<h1><span class=\"name wb\">write-behind</span> answered 2.3\u{a0}times as many \
                    requests a second (12,310 against 5,352).</h1>";
    assert!(page.contains(headline), "{page}");
    assert_eq!(page.matches("(12,310 against 5,352)").count(), 1);
    let listed = page.split("class=\"findings\"").nth(1).unwrap();
    let listed = listed.split("</ul>").next().unwrap();
    assert_eq!(listed.matches("<li>").count(), report.findings.len() - 1);
}

#[test]
fn what_is_broken_is_seen_at_once() {
    assert!(page(&named("broken")).contains("<header class=\"broken\">"));
    assert!(
        page(&named("broken")).contains("<li>write-behind: user-17: version 41 is missing</li>")
    );
    assert!(page(&named("steady")).contains("<header>"));
    assert!(page(&named("interrupted")).contains("Stopped before its end."));
    assert!(!page(&named("steady")).contains("Stopped before its end."));
}

#[test]
fn nothing_from_outside_becomes_an_element() {
    let page = page(&named("broken"));
    for element in ["<script", "<img", "</style></title>"] {
        assert!(!page.contains(element), "{element} is in {page}");
    }
    let hostile = "&lt;/style&gt;&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;";
    // Command, parts, version, system, processor, warning, URLs, faults, errors, examples.
    assert!(page.matches(hostile).count() >= 12, "{page}");
    assert!(!page.contains(|character: char| character.is_control() && character != '\n'));
}

#[test]
fn the_page_names_nothing_to_load() {
    for (name, report) in all() {
        let page = page(&report);
        let policy = "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:;";
        assert!(page.contains(policy), "{name}");
        // What is escaped is only text.
        let elements = page.replace("&lt;img src=", "");
        let loads = [
            "src=",
            "@import",
            "url(",
            "rel=\"stylesheet\"",
            "http-equiv=\"refresh\"",
        ];
        for loads in loads {
            assert!(!elements.contains(loads), "{name}: {loads}");
        }
        assert_eq!(
            page.matches("href=").count(),
            page.matches("href=\"data:").count()
        );
        assert!(!page.contains("NaN"), "{name}");
    }
}
