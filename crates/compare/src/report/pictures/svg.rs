//! SVG elements, with classes instead of colours.

use crate::report::escape::escape;

pub(super) fn text(class: &str, x: f64, y: f64, anchor: &str, text: &str) -> String {
    let (x, y, text) = (number(x), number(y), escape(text));
    format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>")
}

pub(super) fn rect(class: &str, x: f64, y: f64, width: f64, height: f64) -> String {
    format!("<rect class=\"{class}\" {}/>", place(x, y, width, height))
}

pub(super) fn tip(x: f64, y: f64, width: f64, height: f64, text: &str) -> String {
    let place = place(x, y, width, height);
    // A line break is the one control character that a title shows.
    let lines: Vec<String> = text.lines().map(escape).collect();
    let text = lines.join("\n");
    format!("<rect class=\"tip\" {place}><title>{text}</title></rect>")
}

pub(super) fn circle(class: &str, at: (f64, f64), radius: f64) -> String {
    let (x, y) = (number(at.0), number(at.1));
    format!("<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>")
}

pub(super) fn path(class: &str, commands: &str) -> String {
    format!("<path class=\"{class}\" d=\"{commands}\"/>")
}

/// A path's command with one point.
pub(super) fn point(command: char, at: (f64, f64)) -> String {
    format!("{command}{} {}", number(at.0), number(at.1))
}

pub(super) fn moved(x: f64, y: f64, body: &str) -> String {
    let (x, y) = (number(x), number(y));
    format!("<g transform=\"translate({x} {y})\">{body}</g>")
}

fn place(x: f64, y: f64, width: f64, height: f64) -> String {
    format!(
        "x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
        number(x),
        number(y),
        number(width.max(0.0)),
        number(height.max(0.0))
    )
}

/// To a tenth of a pixel. What is no number is at the edge.
fn number(value: f64) -> String {
    let value = if value.is_finite() { value } else { 0.0 };
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}
