//! The Prometheus text format, as far as a service writes it: a name, labels and a value on each line.

use std::fmt;

/// A line that is not of the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Which, from 1.
    pub line: usize,
}

impl fmt::Display for ParseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        write!(
            formatter,
            "line {line} is not of the Prometheus text format"
        )
    }
}

impl std::error::Error for ParseError {}

/// The value of one series.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

/// All samples of a text.
pub(super) fn parse(text: &str) -> Result<Vec<Sample>, ParseError> {
    let lines = text.lines().enumerate();
    lines
        .map(|(index, line)| (index, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(index, line)| sample(line).ok_or(ParseError { line: index + 1 }))
        .collect()
}

fn sample(line: &str) -> Option<Sample> {
    let name_end = line.find(|character: char| character == '{' || character.is_whitespace())?;
    let (name, rest) = line.split_at_checked(name_end)?;
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    // A time may follow the value.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    (!name.is_empty()).then(|| Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// The labels behind a `{`, and what follows their `}`.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, quoted) = rest.split_once('=')?;
        let (value, after) = quoted_text(quoted.trim_start().strip_prefix('"')?)?;
        labels.push((name.trim().to_owned(), value));
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

/// The text behind a `"`, and what follows its end.
fn quoted_text(rest: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return Some((text, characters.as_str())),
            '\\' => text.push(match characters.next()? {
                'n' => '\n',
                other => other,
            }),
            other => text.push(other),
        }
    }
}
