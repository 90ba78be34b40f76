//! The report as one page that needs nothing else: no script, no font, no request.

use super::chart::{charts, class};
use super::escape::escape;
use super::rows::{self, Group};
use super::{Report, figure};

const STYLE: &str = include_str!("style.css");

/// Even a page that something was smuggled into can load and run nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                      base-uri 'none'; form-action 'none'";

/// The whole page: verdict, charts, the figures that decide, and folded away all others.
pub fn page(report: &Report) -> String {
    let sections = [
        header(report),
        all_charts(report),
        table(report, &rows::short(report), "What decides"),
        details(report),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>write-through or write-behind?</title>\n<style>\n{STYLE}</style>\n\
         </head>\n<body>\n{}</body>\n</html>\n",
        sections.concat()
    )
}

fn header(report: &Report) -> String {
    let mut text = "<header>\n<h1>write-through or write-behind?</h1>\n".to_owned();
    let bad = if report.has_losses() {
        " class=\"bad\""
    } else {
        ""
    };
    text += &items(&format!("<ul id=\"verdict\"{bad}>"), &report.verdict);
    text += &items("<ul class=\"warn\">", &report.warnings);
    if report.runs().next().is_none() {
        text += "<p>Nothing was measured.</p>\n";
    }
    let names = report.patterns().into_iter().map(|pattern| {
        let name = pattern.name();
        format!("<span class=\"name {}\">{name}</span>", class(pattern))
    });
    let names: Vec<String> = names.collect();
    text + &format!("<p class=\"names\">{}</p>\n</header>\n", names.join(" "))
}

fn items(list: &str, sentences: &[String]) -> String {
    let items = sentences
        .iter()
        .map(|sentence| format!("<li>{}</li>\n", escape(sentence)));
    match sentences.is_empty() {
        true => String::new(),
        false => format!("{list}\n{}</ul>\n", items.collect::<String>()),
    }
}

fn all_charts(report: &Report) -> String {
    let figures = charts(report).into_iter().map(|chart| {
        format!(
            "<figure>\n<h2>{}</h2>\n<figcaption>{}</figcaption>\n{}\n</figure>\n",
            escape(&chart.title),
            escape(chart.caption),
            chart.svg
        )
    });
    format!(
        "<div class=\"charts\">\n{}</div>\n",
        figures.collect::<String>()
    )
}

fn table(report: &Report, groups: &[Group], title: &str) -> String {
    if groups.is_empty() {
        return String::new();
    }
    let patterns = report.patterns();
    let mut text = format!("<section>\n<h2>{title}</h2>\n<table>\n<thead><tr><td></td>");
    for pattern in &patterns {
        text += &format!(
            "<th scope=\"col\" class=\"{}\">{}</th>",
            class(*pattern),
            pattern.name()
        );
    }
    text += "<th scope=\"col\">difference</th></tr></thead>\n";
    for group in groups {
        let columns = patterns.len() + 2;
        text += &format!(
            "<tbody>\n<tr><th colspan=\"{columns}\" scope=\"rowgroup\">{}</th></tr>\n",
            escape(&group.title)
        );
        for line in &group.lines {
            text += &format!("<tr><th scope=\"row\">{}</th>", escape(line.label));
            for (pattern, cell) in patterns.iter().zip(&line.cells) {
                let cell = escape(cell);
                text += &match line.better == Some(*pattern) {
                    true => format!("<td><b>{cell}</b></td>"),
                    false => format!("<td>{cell}</td>"),
                };
            }
            text += &format!("<td>{}</td></tr>\n", escape(&line.difference));
        }
        text += "</tbody>\n";
    }
    text + "</table>\n</section>\n"
}

fn details(report: &Report) -> String {
    let mut examples = Vec::new();
    let mut errors = Vec::new();
    for run in report.runs() {
        let name = run.pattern.name();
        for example in run.check.iter().flat_map(|check| &check.examples) {
            examples.push(format!("{name}, lost or stale: {example}"));
        }
        for error in &run.errors {
            errors.push(format!(
                "{name}, failed: {} times {}",
                figure::count(error.count as f64),
                error.kind
            ));
        }
    }
    let runs = report.scenarios.iter().flat_map(|scenario| {
        let counts = report
            .patterns()
            .into_iter()
            .map(|pattern| scenario.of(pattern).count());
        counts.collect::<Vec<usize>>()
    });
    let mut facts = vec![
        format!("Command: {}", report.command),
        format!("Version: {}", report.version),
        format!("Begun at {}", report.began_at),
        format!("On {}", report.parts),
        format!(
            "Machine: {} processors ({}), {}, {}",
            report.machine.processors,
            report
                .machine
                .processor_model
                .as_deref()
                .unwrap_or("of unknown model"),
            figure::mebibytes(report.machine.memory_bytes as f64),
            report.machine.system
        ),
        format!(
            "Each figure is the median of {} runs. A difference is called none where runs of the two overlap, or the \
             medians are less than a tenth apart (with a single run: less than twofold).",
            runs.max().unwrap_or(0)
        ),
    ];
    if let Some(ceiling) = report.ceiling {
        facts.push(format!(
            "This tool itself drives {} requests a second here, against a handler that does nothing.",
            figure::count(ceiling.requests_per_second)
        ));
    }
    format!(
        "<details>\n<summary>All figures, and how they were made</summary>\n{}{}{}{}</details>\n",
        items("<ul>", &facts),
        items("<ul>", &examples),
        items("<ul>", &errors),
        table(report, &rows::all(report), "Everything that was measured")
    )
}
