//! All figures.

use crate::report::escape::escape;
use crate::report::rows::Group;
use crate::report::{Report, figure, rows};

pub(super) fn section(report: &Report) -> String {
    let groups = rows::groups(report);
    if report.services.is_empty() || groups.is_empty() {
        return String::new();
    }
    let mut head = String::new();
    for service in &report.services {
        head.push_str(&format!(
            "<th scope=\"col\" class=\"{}\">{}{}</th>",
            super::class(service.pattern),
            super::mark(service.pattern),
            service.pattern.name(),
        ));
    }
    // On a screen the first half is beside the second.
    let lines = |groups: &[Group]| {
        groups
            .iter()
            .map(|group| group.rows.len() + 2)
            .sum::<usize>()
    };
    let half = lines(&groups) / 2;
    let first = (0..groups.len())
        .find(|first| lines(groups.get(..*first).unwrap_or_default()) >= half)
        .unwrap_or(groups.len());
    let tables: String = [groups.get(..first), groups.get(first..)]
        .into_iter()
        .flatten()
        .filter(|groups| !groups.is_empty())
        .map(|groups| table(report, &head, groups))
        .collect();
    let note = match report.services.len() {
        2 => "<p class=\"soft\">Bold: better by a tenth or more.</p>\n",
        _ => "",
    };
    format!(
        "<section class=\"card\" aria-labelledby=\"figures\">\n<h2 id=\"figures\">All figures</h2>\n{note}\
         <div class=\"tables\">\n{tables}</div>\n</section>"
    )
}

fn table(report: &Report, head: &str, groups: &[Group]) -> String {
    let mut bodies = String::new();
    for group in groups {
        bodies.push_str(&format!(
            "<tbody>\n<tr><th scope=\"rowgroup\" colspan=\"{}\">{}</th></tr>\n",
            report.services.len() + 1,
            escape(&group.title)
        ));
        for row in &group.rows {
            bodies.push_str(&format!(
                "<tr><th scope=\"row\">{}</th>",
                escape(&row.label)
            ));
            for (index, cell) in row.cells.iter().enumerate() {
                if cell == figure::UNKNOWN {
                    bodies.push_str("<td class=\"unknown\">–</td>");
                    continue;
                }
                let cell = escape(cell);
                match row.better == Some(index) {
                    true => bodies.push_str(&format!("<td><b>{cell}</b></td>")),
                    false => bodies.push_str(&format!("<td>{cell}</td>")),
                }
            }
            bodies.push_str("</tr>\n");
        }
        bodies.push_str("</tbody>\n");
    }
    format!("<table>\n<thead><tr><td></td>{head}</tr></thead>\n{bodies}</table>\n")
}
