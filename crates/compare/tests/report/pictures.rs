//! Every picture is well-formed, whole, and shows what its report knows and nothing else.

use compare::report::html;
use compare::report::pictures::{Picture, standalone};
use roxmltree::{Document, Node};

use crate::samples::{all, named};

/// The pictures of a page.
pub(crate) fn in_page(page: &str) -> Vec<&str> {
    let starts = page.match_indices("<svg ");
    let end = "</svg>";
    starts
        .map(|(start, _)| {
            let rest = &page[start..];
            &rest[..rest.find(end).unwrap() + end.len()]
        })
        .collect()
}

fn with_class<'a, 'input>(
    document: &'a Document<'input>,
    class: &'a str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    document.descendants().filter(move |node| {
        let classes = node.attribute("class").unwrap_or_default();
        classes.split(' ').any(|other| other == class)
    })
}

#[test]
fn every_picture_of_every_report_is_well_formed_and_has_only_figures() {
    let mut count = 0;
    for (name, report) in all() {
        let page = html::page(&report);
        let mut pictures: Vec<String> = in_page(&page).into_iter().map(str::to_owned).collect();
        pictures.extend(Picture::ALL.map(|picture| standalone(&report, picture)));
        for picture in pictures {
            let document = Document::parse(&picture).unwrap_or_else(|error| {
                panic!("{name}: {error} in {picture}");
            });
            let root = document.root_element();
            assert_eq!(root.attribute("role"), Some("img"), "{name}");
            assert!(
                root.attribute("aria-label")
                    .is_some_and(|label| label.len() > 10)
            );
            for node in document.descendants().filter(Node::is_element) {
                for attribute in node.attributes() {
                    let value = attribute.value();
                    let is_text = ["aria-label", "class"].contains(&attribute.name());
                    let figures = !value.contains("NaN") && !value.contains("inf");
                    assert!(is_text || figures, "{name}: {attribute:?}");
                }
                for text in [
                    node.text().unwrap_or_default(),
                    root.attribute("aria-label").unwrap(),
                ] {
                    assert!(!text.contains("NaN"), "{name}: {text}");
                    let words = text.split(|character: char| !character.is_alphabetic());
                    assert!(!words.clone().any(|word| word == "inf"), "{name}: {text}");
                }
            }
            count += 1;
        }
    }
    assert!(count > 100, "{count} pictures");
}

#[test]
fn both_services_are_in_every_picture_of_both() {
    let report = named("outage");
    for picture in Picture::ALL {
        let text = standalone(&report, picture);
        let document = Document::parse(&text).unwrap();
        let behind = with_class(&document, "wb").count();
        let through = with_class(&document, "wt").count();
        assert!(behind > 2, "{picture:?}");
        // There is no journal.
        assert_eq!(through > 2, picture != Picture::Journal, "{picture:?}");
        assert!(text.contains(">write-behind"), "{picture:?}");
    }
}

#[test]
fn a_service_looks_the_same_in_every_picture() {
    let report = named("steady");
    for picture in Picture::ALL {
        let text = standalone(&report, picture);
        let document = Document::parse(&text).unwrap();
        for marker in with_class(&document, "marker") {
            let classes = marker.attribute("class").unwrap();
            let shape = if classes.contains("wt") {
                "circle"
            } else {
                "rect"
            };
            assert_eq!(marker.tag_name().name(), shape, "{picture:?}");
        }
        assert!(
            text.contains("#0067a8") && text.contains("#d67a00"),
            "{picture:?}"
        );
        assert!(
            !text.contains("var("),
            "{picture:?} has colours without a value"
        );
    }
}

#[test]
fn a_fault_is_shaded_in_what_happens_over_time_and_only_then() {
    let over_time = [
        Picture::Throughput,
        Picture::Latency,
        Picture::Journal,
        Picture::Rows,
        Picture::CacheHits,
    ];
    for (name, report) in all() {
        let has_fault = report
            .services
            .iter()
            .any(|service| service.fault.is_some());
        for picture in Picture::ALL {
            let text = standalone(&report, picture);
            let document = Document::parse(&text).unwrap();
            let shaded = with_class(&document, "fault").count();
            let labelled = with_class(&document, "fault-label").count();
            let nothing = text.contains("Nothing was measured.");
            let expected = has_fault && over_time.contains(&picture) && !nothing;
            assert_eq!(shaded > 0, expected, "{name}, {picture:?}");
            assert_eq!(labelled > 0, expected, "{name}, {picture:?}");
        }
    }
    let text = standalone(&named("outage"), Picture::Throughput);
    assert!(text.contains(">database away</text>"), "{text}");
}

#[test]
fn the_shade_is_where_the_fault_was() {
    let text = standalone(&named("outage"), Picture::Throughput);
    let document = Document::parse(&text).unwrap();
    let axis = |label: &str| -> f64 {
        let mut texts = document
            .descendants()
            .filter(|node| node.has_tag_name("text"));
        let found = texts.find(|node| node.text() == Some(label));
        let found = found.unwrap_or_else(|| panic!("no {label} in {text}"));
        found.attribute("x").unwrap().parse().unwrap()
    };
    let a_second = (axis("10 s") - axis("5 s")) / 5.0;
    let shade = with_class(&document, "fault").next().unwrap();
    let from: f64 = shade.attribute("x").unwrap().parse().unwrap();
    let width: f64 = shade.attribute("width").unwrap().parse().unwrap();
    assert!((from - (axis("5 s") + a_second)).abs() < 0.5, "{from}");
    assert!((width - 6.0 * a_second).abs() < 0.5, "{width}");
}

#[test]
fn a_gap_in_what_was_measured_is_a_gap_in_the_line() {
    let pieces = |report| {
        let text = standalone(&report, Picture::Latency);
        let document = Document::parse(&text).unwrap();
        // The other lines are samples in the legend.
        let lines = with_class(&document, "line");
        let paths = lines.map(|line| line.attribute("d").unwrap().to_owned());
        let longest = paths.max_by_key(String::len).unwrap();
        longest.matches('M').count()
    };
    assert_eq!(pieces(named("interrupted")), 2);
    assert_eq!(pieces(named("steady")), 1);
}

#[test]
fn a_picture_of_nothing_says_so() {
    for picture in Picture::ALL {
        let text = standalone(&named("empty"), picture);
        assert!(
            text.contains(">Nothing was measured.</text>"),
            "{picture:?}"
        );
        assert!(text.contains(picture.title()), "{picture:?}");
    }
}
