//! The page in a real browser, from a file: it asks for nothing, nothing goes wrong, and every text
//! can be read, on a screen and on a phone, in light and in dark.
//!
//! With `REPORT_SCREENSHOTS` set to a folder, what is seen is written there.

use std::env;
use std::path::Path;

use compare::report::html;
use testkit::browser::Browser;

use crate::samples;

const WIDTHS: [u32; 2] = [1280, 360];

/// The height that text in pictures must have at least, in pixels.
const TEXT_PX_MIN: f64 = 9.0;

/// The height of the page on a desktop: three screens.
const PAGE_PX_MAX: u64 = 3 * 900;

const SCROLLED_SIDEWAYS: &str =
    "document.documentElement.scrollWidth - document.documentElement.clientWidth";

/// Of the texts in pictures that are shown, as they are scaled; null without any.
const SMALLEST_TEXT_PX: &str = "(() => {
    const shown = [...document.querySelectorAll('svg text')].filter(
        text => text.getBoundingClientRect().height > 0);
    const sizes = shown.map(text =>
        parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a);
    return sizes.length ? Math.min(...sizes) : null;
})()";

const FOREIGN_ELEMENTS: &str = "document.querySelectorAll('script, img, iframe, [onerror]').length";

#[test]
fn every_report_can_be_read_at_every_width_and_asks_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let browser = Browser::start();
    let mut own = Vec::new();
    let reports = [
        ("usual", samples::usual()),
        ("broken", samples::broken()),
        ("nothing", samples::nothing()),
    ];
    for (name, report) in reports {
        let file = folder.path().join(format!("{name}.html"));
        std::fs::write(&file, html::page(&report)).unwrap();
        let url = format!("file://{}", file.display());
        for width in WIDTHS {
            for scheme in ["light", "dark"] {
                let seen = format!("{name} at {width} px, {scheme}");
                browser.resize(width, 800);
                browser.dark(scheme == "dark");
                browser.open(&url);
                let height = browser.evaluate("document.documentElement.scrollHeight");
                if width == WIDTHS[0] && height.as_u64().unwrap() > PAGE_PX_MAX {
                    wrong.push(format!("{seen}: {height} px high"));
                }
                browser.resize(width, u32::try_from(height.as_u64().unwrap()).unwrap());
                if let Some(shots) = env::var_os("REPORT_SCREENSHOTS") {
                    let file = format!("{name}-{width}-{scheme}.png");
                    browser.screenshot(&Path::new(&shots).join(file));
                }

                let overlapping = browser.overlapping_texts();
                wrong.extend(overlapping.iter().map(|text| format!("{seen}: {text}")));
                let scrolled = browser.evaluate(SCROLLED_SIDEWAYS);
                if scrolled != 0 {
                    wrong.push(format!("{seen}: {scrolled} px more by scrolling sideways"));
                }
                let smallest = browser.evaluate(SMALLEST_TEXT_PX);
                if smallest
                    .as_f64()
                    .is_some_and(|smallest| smallest < TEXT_PX_MIN)
                {
                    wrong.push(format!("{seen}: a text of {smallest} px"));
                }
                assert_background(&browser, scheme, &seen);
            }
        }
        let foreign = browser.evaluate(FOREIGN_ELEMENTS);
        if foreign != 0 {
            wrong.push(format!(
                "{name}: {foreign} elements that do not belong there"
            ));
        }
        own.push(url);
    }
    wrong.extend(browser.console_errors());
    for request in browser.requests() {
        if !own.contains(&request) && !request.starts_with("data:") {
            wrong.push(format!("a page asked for {request}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn assert_background(browser: &Browser, scheme: &str, seen: &str) {
    let red = browser
        .evaluate("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])");
    let dark = red.as_f64().unwrap() < 128.0;
    assert_eq!(dark, scheme == "dark", "{seen}");
}
