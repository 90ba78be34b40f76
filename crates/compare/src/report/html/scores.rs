//! The few figures that matter most, large.

use crate::report::totals::{finite, measured};
use crate::report::{Report, ServiceReport, figure};

struct Score {
    title: &'static str,
    /// What is better.
    hint: &'static str,
    value: fn(&ServiceReport) -> Option<f64>,
    write: fn(f64) -> String,
}

const SCORES: [Score; 4] = [
    Score {
        title: "Answered a second",
        hint: "more is better",
        value: |service| finite(service.per_second),
        write: figure::whole,
    },
    Score {
        title: "99 % answered within",
        hint: "less is better",
        value: |service| finite(measured(&service.latency)?.p99_ms),
        write: figure::milliseconds,
    },
    Score {
        title: "Rows for 100 writes",
        hint: "less is better",
        value: |service| Some(service.rows_per_write()? * 100.0),
        write: figure::trimmed,
    },
    Score {
        title: "From answer to commit",
        hint: "median; less is better",
        value: |service| finite(service.lag()?.p50_ms),
        write: figure::milliseconds,
    },
];

pub(super) fn section(report: &Report) -> String {
    let scores: String = SCORES
        .iter()
        .filter_map(|score| tile(&report.services, score))
        .collect();
    if scores.is_empty() {
        return String::new();
    }
    format!(
        "<section class=\"scores\" aria-label=\"The most important figures\">\n{scores}</section>"
    )
}

fn tile(services: &[ServiceReport], score: &Score) -> Option<String> {
    let values: Vec<Option<f64>> = services.iter().map(score.value).collect();
    let largest = values.iter().flatten().copied().reduce(f64::max)?;
    let mut rows = String::new();
    for (service, value) in services.iter().zip(values) {
        let class = super::class(service.pattern);
        let name = service.pattern.name();
        let text = value.map_or_else(|| figure::UNKNOWN.to_owned(), score.write);
        let percent = match value {
            Some(value) if largest > 0.0 => (value / largest * 100.0).clamp(0.0, 100.0),
            _ => 0.0,
        };
        rows.push_str(&format!(
            "<dt class=\"{class}\">{}{name}</dt>\n<dd class=\"{class}\">{text}\
             <span class=\"meter\"><span style=\"width:{percent:.1}%\"></span></span></dd>\n",
            super::mark(service.pattern),
        ));
    }
    Some(format!(
        "<div class=\"card score\">\n<h2>{}</h2>\n<p class=\"soft\">{}</p>\n<dl>\n{rows}</dl>\n</div>\n",
        score.title, score.hint,
    ))
}
