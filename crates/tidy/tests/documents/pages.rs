//! The documents: what they link to, what they quote as code, and what they say.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::repository::{files_below, read};

/// A Markdown file.
#[derive(Debug)]
pub(crate) struct Page {
    /// Relative to the repository's root, such as `docs/api.md`.
    pub(crate) file: String,
    pub(crate) text: String,
}

/// A text with the line on which it begins.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// The pages at the root and below `docs` and `docker`.
pub(crate) fn read_pages() -> Vec<Page> {
    let is_document = |file: &String| {
        let is_here =
            !file.contains('/') || file.starts_with("docs/") || file.starts_with("docker/");
        is_here && file.ends_with(".md")
    };
    let files = files_below(&["", "docs", "docker"]);
    let documents = files.into_iter().filter(is_document);
    documents
        .map(|file| Page::new(&file, &read(&file)))
        .collect()
}

impl Page {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        Page {
            file: file.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Where something is, as a reader of a report wants it.
    pub(crate) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.file)
    }

    fn events(&self) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
        Parser::new_ext(&self.text, Options::ENABLE_TABLES).into_offset_iter()
    }

    fn line(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    }

    /// The targets of links and pictures.
    pub(crate) fn links(&self) -> Vec<Located> {
        let mut links = Vec::new();
        for (event, range) in self.events() {
            if let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event {
                links.push(Located {
                    line: self.line(range.start),
                    text: dest_url.into_string(),
                });
            }
        }
        links
    }

    /// The anchors of its headings, as GitHub makes them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut anchors = Vec::new();
        let mut heading: Option<String> = None;
        for (event, _) in self.events() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    anchors.extend(heading.take().as_deref().map(anchor))
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        anchors
    }

    /// What stands between back-ticks.
    pub(crate) fn code_spans(&self) -> Vec<Located> {
        let mut spans = Vec::new();
        for (event, range) in self.events() {
            if let Event::Code(text) = event {
                spans.push(Located {
                    line: self.line(range.start),
                    text: text.into_string(),
                });
            }
        }
        spans
    }

    /// The lines of blocks of code, those that end with a back-slash joined with the next.
    pub(crate) fn code_lines(&self) -> Vec<Located> {
        let mut lines: Vec<Located> = Vec::new();
        let mut is_inside = false;
        let mut is_continued = false;
        for (event, range) in self.events() {
            match event {
                Event::Start(Tag::CodeBlock(_)) => is_inside = true,
                Event::End(TagEnd::CodeBlock) => (is_inside, is_continued) = (false, false),
                Event::Text(text) if is_inside => {
                    let first = self.line(range.start);
                    for (number, line) in text.lines().enumerate() {
                        let (line, goes_on) = match line.strip_suffix('\\') {
                            Some(line) => (line, true),
                            None => (line, false),
                        };
                        match lines.last_mut() {
                            Some(last) if is_continued => last.text.push_str(line.trim_start()),
                            _ => lines.push(Located {
                                line: first + number,
                                text: line.to_owned(),
                            }),
                        }
                        is_continued = goes_on;
                    }
                }
                _ => {}
            }
        }
        lines
    }

    /// What it says, without code: a paragraph is one text, with the lines on which its parts begin.
    pub(crate) fn paragraphs(&self) -> Vec<Paragraph> {
        let mut paragraphs = vec![Paragraph::default()];
        let mut is_code = false;
        for (event, range) in self.events() {
            let paragraph = paragraphs.last_mut().unwrap();
            match event {
                Event::Start(Tag::CodeBlock(_)) => is_code = true,
                Event::End(TagEnd::CodeBlock) => is_code = false,
                Event::Text(text) if !is_code => paragraph.push(self.line(range.start), &text),
                Event::Code(_) => paragraph.push(self.line(range.start), "`"),
                Event::SoftBreak => paragraph.push(self.line(range.start), " "),
                Event::End(
                    TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::TableCell,
                ) => paragraphs.push(Paragraph::default()),
                _ => {}
            }
        }
        paragraphs
    }
}

/// Text that is read in one go.
#[derive(Debug, Default)]
pub(crate) struct Paragraph {
    pub(crate) text: String,
    /// Where in the text a part begins, and the line that it is on.
    parts: Vec<(usize, usize)>,
}

impl Paragraph {
    pub(crate) fn push(&mut self, line: usize, text: &str) {
        self.parts.push((self.text.len(), line));
        self.text.push_str(text);
    }

    /// The line of what is at this place in the text.
    pub(crate) fn line(&self, at: usize) -> usize {
        let before = self.parts.iter().take_while(|(start, _)| *start <= at);
        before.last().map_or(1, |(_, line)| *line)
    }
}

/// The anchor of a heading: lower case, without punctuation, with hyphens for spaces.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        Page::new("page.md", text)
    }

    #[test]
    fn anchors_are_those_of_github() {
        let page = page("# A `users` table: yours\n\n## With-out & more\n");
        assert_eq!(page.anchors(), ["a-users-table-yours", "with-out--more"]);
    }

    #[test]
    fn continued_lines_of_code_are_one_command() {
        let page = page("Text\n\n    a \\\n      b\n    c\n");
        let lines: Vec<_> = page
            .code_lines()
            .into_iter()
            .map(|l| (l.line, l.text))
            .collect();
        assert_eq!(lines, [(3, "a b".to_owned()), (5, "c".to_owned())]);
    }

    #[test]
    fn a_paragraph_knows_its_lines_and_has_no_code() {
        let page = page("# T\n\nfirst\nsecond `code` third\n\n    block\n");
        let paragraphs = page.paragraphs();
        let text = &paragraphs[1];
        assert_eq!(text.text, "first second ` third");
        assert_eq!((text.line(0), text.line(6), text.line(15)), (3, 4, 4));
        assert!(!paragraphs.iter().any(|p| p.text.contains("block")));
    }
}
