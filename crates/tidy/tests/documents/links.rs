//! Links lead to files and headings that exist, and every page can be reached from the README.

use std::collections::{HashMap, HashSet};

use crate::assert_none;
use crate::pages::{Page, read_pages};
use crate::repository::exists;

const OUTSIDE: &[&str] = &["http://", "https://", "mailto:"];
const START: &str = "README.md";

#[test]
fn every_link_leads_somewhere() {
    let pages = read_pages();
    assert_none(&broken_links(&pages, exists));
}

#[test]
fn every_page_is_reached_from_the_readme() {
    let pages = read_pages();
    let pages: HashMap<&str, &Page> = pages
        .iter()
        .map(|page| (page.file.as_str(), page))
        .collect();
    let mut reached = HashSet::from([START.to_owned()]);
    let mut next = vec![START.to_owned()];
    while let Some(file) = next.pop() {
        let Some(page) = pages.get(file.as_str()) else {
            continue;
        };
        for link in page.links() {
            let target = target_of(&page.file, &link.text).0;
            if reached.insert(target.clone()) {
                next.push(target);
            }
        }
    }
    let missed = pages.keys().filter(|file| !reached.contains(**file));
    let missed: Vec<String> = missed
        .map(|file| format!("{file}: no page links to it"))
        .collect();
    assert_none(&missed);
}

fn broken_links(pages: &[Page], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let anchors: HashMap<&str, Vec<String>> = pages
        .iter()
        .map(|page| (page.file.as_str(), page.anchors()))
        .collect();
    let mut broken = Vec::new();
    for page in pages {
        for link in page.links() {
            if OUTSIDE.iter().any(|start| link.text.starts_with(start)) {
                continue;
            }
            let (file, anchor) = target_of(&page.file, &link.text);
            let why = match (exists(&file), anchor, anchors.get(file.as_str())) {
                (false, ..) => "there is no such file",
                (true, Some(anchor), Some(known)) if !known.contains(&anchor) => {
                    "there is no such heading"
                }
                (true, Some(_), None) => "only documents have headings",
                _ => continue,
            };
            broken.push(format!("{}: {}: {why}", page.at(link.line), link.text));
        }
    }
    broken
}

/// The file that a link of `page` leads to, relative to the root, and the anchor in it.
fn target_of(page: &str, link: &str) -> (String, Option<String>) {
    let (path, anchor) = match link.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor.to_owned())),
        None => (link, None),
    };
    if path.is_empty() {
        return (page.to_owned(), anchor);
    }
    let mut folders: Vec<&str> = page.split('/').collect();
    folders.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                folders.pop();
            }
            name => folders.push(name),
        }
    }
    (folders.join("/"), anchor)
}

#[test]
fn broken_links_are_reported_with_their_lines() {
    let text = "# One\n\n[a](b.md) [b](../docs/a.md#one)\n[c](#two) ![d](e.svg) [x](https://x.y)\n";
    let pages = [Page::new("docs/a.md", text)];
    let found = broken_links(&pages, |file| file == "docs/a.md");
    assert_eq!(
        found,
        [
            "docs/a.md:3: b.md: there is no such file",
            "docs/a.md:4: #two: there is no such heading",
            "docs/a.md:4: e.svg: there is no such file",
        ]
    );
}
