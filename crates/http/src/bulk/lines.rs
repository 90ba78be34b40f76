//! From the pieces of a body to its lines.

use bytes::{Bytes, BytesMut};

use crate::body::BODY_MAX_BYTES;

/// Most bytes of a line.
pub(crate) const LINE_BYTES_MAX: usize = BODY_MAX_BYTES;

/// A line that is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1; empty lines count.
    pub(crate) number: u64,
    /// Without its end; `None` for one over [`LINE_BYTES_MAX`].
    pub(crate) text: Option<Bytes>,
}

/// Splits a body. Of a line that is too long nothing is kept.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    piece: Bytes,
    /// The line that the pieces before have begun.
    begun: BytesMut,
    is_too_long: bool,
    /// How many lines have ended.
    ended: u64,
}

impl Lines {
    /// Adds a piece, once [`Lines::next`] has returned `None`.
    pub(crate) fn feed(&mut self, piece: Bytes) {
        debug_assert!(self.piece.is_empty());
        self.piece = piece;
    }

    /// The next line that has ended and is not empty.
    pub(crate) fn next(&mut self) -> Option<Line> {
        loop {
            let Some(length) = self.piece.iter().position(|byte| *byte == b'\n') else {
                let rest = std::mem::take(&mut self.piece);
                self.keep(&rest);
                return None;
            };
            let mut line = self.piece.split_to(length + 1);
            line.truncate(length);
            let line = self.end_line(line);
            if line.is_some() {
                return line;
            }
        }
    }

    /// The last line, whose end is that of the body.
    pub(crate) fn last(&mut self) -> Option<Line> {
        self.end_line(Bytes::new())
    }

    /// Whether a line has begun and not ended.
    pub(crate) fn is_within_line(&self) -> bool {
        self.is_too_long || !self.begun.trim_ascii().is_empty()
    }

    /// The number of the line after those that have ended.
    pub(crate) fn next_number(&self) -> u64 {
        self.ended + 1
    }

    fn keep(&mut self, part: &[u8]) {
        self.is_too_long |= self.begun.len() + part.len() > LINE_BYTES_MAX;
        match self.is_too_long {
            true => self.begun = BytesMut::new(),
            false => self.begun.extend_from_slice(part),
        }
    }

    fn end_line(&mut self, part: Bytes) -> Option<Line> {
        self.ended += 1;
        let text = match self.begun.is_empty() && !self.is_too_long {
            // Most lines are within one piece, and are not copied.
            true if part.len() <= LINE_BYTES_MAX => Some(part),
            true => None,
            false => {
                self.keep(&part);
                let begun = std::mem::take(&mut self.begun).freeze();
                (!std::mem::take(&mut self.is_too_long)).then_some(begun)
            }
        };
        let is_empty = |text: &Bytes| text.trim_ascii().is_empty();
        (!text.as_ref().is_some_and(is_empty)).then_some(Line {
            number: self.ended,
            text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pieces: &[&[u8]]) -> Vec<(u64, Option<String>)> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for piece in pieces {
            lines.feed(Bytes::copy_from_slice(piece));
            while let Some(line) = lines.next() {
                found.push(line);
            }
        }
        if lines.is_within_line() {
            found.extend(lines.last());
        }
        let text = |text: Bytes| String::from_utf8(text.to_vec()).unwrap();
        let found = found.into_iter();
        found
            .map(|line| (line.number, line.text.map(text)))
            .collect()
    }

    #[test]
    fn lines_are_the_same_however_the_body_is_cut() {
        let body = b"{a}\n\n \t\r\n{b}\r\n\n{c}";
        let some = |number, text: &str| (number, Some(text.to_owned()));
        let expected = [some(1, "{a}"), some(4, "{b}\r"), some(6, "{c}")];
        for length in 1..=body.len() {
            let pieces: Vec<&[u8]> = body.chunks(length).collect();
            assert_eq!(split(&pieces), expected, "{length}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_not_kept() {
        let longest = vec![b'x'; LINE_BYTES_MAX];
        let lines = |long: &[u8]| [b"a\n", long, b"\nb\n"].concat();
        let fits = lines(&longest);
        let too_long = lines(&[longest.as_slice(), b"x"].concat());
        let huge = lines(&vec![b'x'; 10 * LINE_BYTES_MAX]);
        for (body, is_kept) in [(fits, true), (too_long, false), (huge, false)] {
            for length in [1000, LINE_BYTES_MAX, body.len()] {
                let pieces: Vec<&[u8]> = body.chunks(length).collect();
                let found = split(&pieces);
                assert_eq!(found.len(), 3);
                assert_eq!(found[1].1.is_some(), is_kept, "{length}");
                assert_eq!(found[2], (3, Some("b".to_owned())));
            }
        }
        let mut lines = Lines::default();
        for _ in 0..100 {
            lines.feed(Bytes::from(longest.clone()));
            assert_eq!(lines.next(), None);
            assert!(lines.begun.len() <= LINE_BYTES_MAX);
        }
    }
}
