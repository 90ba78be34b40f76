//! The report as a program reads it.

use super::Report;

/// The whole report as indented JSON, with a newline at its end. A figure that is no finite
/// number is `null`, as is what is absent.
pub fn text(report: &Report) -> String {
    // A report holds no map and no type whose serialisation fails.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_else(|_| "null".to_owned());
    text.push('\n');
    text
}
