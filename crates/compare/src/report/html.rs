//! The report as one page that needs nothing else: no script, no font, no request.

mod about;
mod scores;
mod sentence;
mod table;

use super::escape::escape;
use super::pictures::{self, Layout, Picture};
use super::{Report, palette};
use crate::pattern::Pattern;

const STYLE: &str = include_str!("html/style.css");

/// Even a page that something was smuggled into can load and run nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                      base-uri 'none'; form-action 'none'";

/// A circle and a square in the colours of the two patterns.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
                    %3Ccircle cx='5' cy='5' r='4.5' fill='%230067a8'/%3E\
                    %3Crect x='7' y='7' width='8.5' height='8.5' fill='%23d67a00'/%3E%3C/svg%3E";

/// The whole page.
pub fn page(report: &Report) -> String {
    let light = palette::declarations(|colour| colour.light);
    let dark = palette::declarations(|colour| colour.dark);
    let sections = [
        header(report),
        warnings(report),
        scores::section(report),
        findings(report),
        table::section(report),
        all_pictures(report),
        about::section(report),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>write-through or write-behind?</title>\n\
         <link rel=\"icon\" href=\"{ICON}\">\n\
         <style>\n:root{{{light}}}\n\
         @media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{STYLE}{}</style>\n\
         </head>\n<body>\n{}\n</body>\n</html>\n",
        pictures::STYLE,
        sections.join("\n"),
    )
}

fn header(report: &Report) -> String {
    let headline = match report.findings.first() {
        Some(finding) => sentence::html(finding),
        None if report.services.is_empty() => "Nothing was measured.".to_owned(),
        None => "What was measured".to_owned(),
    };
    let checks = report
        .services
        .iter()
        .filter_map(|service| service.check.as_ref());
    let broken = checks.fold(false, |broken, check| {
        broken || check.lost > 0 || check.stale_reads > 0
    });
    let class = if broken { " class=\"broken\"" } else { "" };
    let stopped = match report.interrupted {
        true => {
            "<p class=\"stopped\"><strong>Stopped before its end.</strong> \
             What was not measured until then is missing below.</p>"
        }
        false => "",
    };
    format!(
        "<header{class}>\n<p class=\"kicker\">write-through or write-behind?</p>\n<h1>{headline}</h1>\n\
         <p class=\"soft\">{} · {} · {}</p>\n{stopped}</header>",
        escape(&super::words::in_short(&report.workload)),
        escape(&report.parts),
        escape(&report.began_at),
    )
}

fn warnings(report: &Report) -> String {
    let mut items = String::new();
    for warning in &report.warnings {
        items.push_str(&format!("<li>{}</li>\n", escape(warning)));
    }
    if items.is_empty() {
        return String::new();
    }
    format!(
        "<section class=\"warnings\" aria-labelledby=\"warnings\">\n\
         <h2 id=\"warnings\">Read these figures with care</h2>\n<ul>\n{items}</ul>\n</section>"
    )
}

/// The class of what belongs to a pattern.
fn class(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::WriteThrough => "wt",
        Pattern::WriteBehind => "wb",
    }
}

/// The marker that the pattern's lines have, too.
fn mark(pattern: Pattern) -> String {
    format!("<span class=\"mark {}\"></span>", class(pattern))
}

/// All but the first, which is the headline.
fn findings(report: &Report) -> String {
    let mut items = String::new();
    for finding in report.findings.iter().skip(1) {
        items.push_str(&format!("<li>{}</li>\n", sentence::html(finding)));
    }
    let examples = examples(report);
    if items.is_empty() && examples.is_empty() {
        return String::new();
    }
    format!(
        "<section class=\"card\" aria-labelledby=\"findings\">\n<h2 id=\"findings\">What else was \
         found</h2>\n<ul class=\"findings\">\n{items}</ul>\n{examples}</section>"
    )
}

/// Of what was lost or stale.
fn examples(report: &Report) -> String {
    let mut items = String::new();
    for service in &report.services {
        for example in service.check.iter().flat_map(|check| &check.examples) {
            let name = service.pattern.name();
            items.push_str(&format!("<li>{name}: {}</li>\n", escape(example)));
        }
    }
    if items.is_empty() {
        return String::new();
    }
    format!("<h3>Examples of what was lost or stale</h3>\n<ul class=\"findings\">\n{items}</ul>\n")
}

fn all_pictures(report: &Report) -> String {
    Picture::ALL
        .iter()
        .filter_map(|picture| figure(report, *picture))
        .collect()
}

/// In both layouts, of which the stylesheet shows one.
fn figure(report: &Report, picture: Picture) -> Option<String> {
    let wide = pictures::embedded(report, picture, Layout::Wide)?;
    let narrow = pictures::embedded(report, picture, Layout::Narrow)?;
    let id = picture.file_stem();
    Some(format!(
        "<section class=\"card\" aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{}</h2>\n<figure>\n\
         <figcaption>{}</figcaption>\n{wide}\n{narrow}\n</figure>\n</section>\n",
        escape(picture.title()),
        escape(picture.caption()),
    ))
}
