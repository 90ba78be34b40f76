//! The few figures that matter most, large.

use crate::report::quantile::{self, Sampled};
use crate::report::totals::finite;
use crate::report::{Report, ServiceReport, figure};

struct Score {
    title: &'static str,
    /// What is better.
    hint: &'static str,
    value: fn(&ServiceReport) -> Option<f64>,
    write: fn(f64) -> String,
}

/// Above this share of failures, or of requests never sent, 99 % of what was asked were not
/// answered, however fast the others were.
const NOT_ANSWERED_MAX: f64 = 0.01;

const P99: Score = Score {
    title: "99 % answered within",
    hint: "less is better",
    value: |service| Sampled::all(service)?.at(quantile::P99),
    write: figure::milliseconds,
};

/// The same where many failed.
const P99_OF_ANSWERED: Score = Score {
    title: "99 % of those answered, within",
    ..P99
};

const BEFORE_P99: [Score; 1] = [Score {
    title: "Answered a second",
    hint: "more is better",
    value: |service| finite(service.per_second),
    write: figure::whole,
}];

const AFTER_P99: [Score; 2] = [
    Score {
        title: "Rows for 100 writes",
        hint: "less is better",
        value: |service| Some(service.rows_per_write()? * 100.0),
        write: figure::trimmed,
    },
    Score {
        title: "From answer to commit",
        hint: "median; less is better",
        value: |service| Sampled::whole(service.lag()?).at(quantile::P50),
        write: figure::milliseconds,
    },
];

pub(super) fn section(report: &Report) -> String {
    let p99 = p99(&report.services);
    let scores: String = BEFORE_P99
        .iter()
        .chain(&p99)
        .chain(&AFTER_P99)
        .filter_map(|score| tile(&report.services, score))
        .collect();
    if scores.is_empty() {
        return String::new();
    }
    format!(
        "<section class=\"scores\" aria-label=\"The most important figures\">\n{scores}</section>"
    )
}

/// None at all where so many were never sent that how long they would have taken is not known.
fn p99(services: &[ServiceReport]) -> Option<Score> {
    let above = |share: fn(&ServiceReport) -> f64| {
        let mut shares = services.iter().map(share);
        shares.any(|share| share > NOT_ANSWERED_MAX)
    };
    match (
        above(ServiceReport::unsent_share),
        above(ServiceReport::failed_share),
    ) {
        (true, _) => None,
        (false, true) => Some(P99_OF_ANSWERED),
        (false, false) => Some(P99),
    }
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
