//! The form of the journal's entries: an entry of a stream with the version in
//! its id, `<version>-0`, and the fields `k` (key) and `b` (body, none = delete).

use bytes::Bytes;
use deadpool_redis::redis::cmd;

use crate::error::Result;
use crate::record::{Key, Record};
use crate::redis::{Link, parse_version};
use crate::version::Version;

/// An entry as the server gives it: its id, and its fields in turn with their values.
pub(crate) type StreamEntry = (Bytes, Vec<Bytes>);

/// Most entries that a walk along a stream takes in one round trip.
const PAGE_MAX: usize = 1_000;

/// The entries of a stream from the id `from` on, at most `max`.
pub(crate) async fn range(
    link: &mut Link,
    stream: &str,
    from: &str,
    max: usize,
) -> Result<Vec<StreamEntry>> {
    let mut range = cmd("XRANGE");
    range.arg(stream).arg(from).arg("+").arg("COUNT").arg(max);
    link.command(&range).await
}

/// A walk along a stream, from an id on.
#[derive(Debug)]
pub(crate) struct Walk {
    stream: String,
    from: String,
}

impl Walk {
    pub(crate) fn new(stream: String, from: String) -> Walk {
        Walk { stream, from }
    }

    /// The next page; empty at the end.
    pub(crate) async fn next(&mut self, link: &mut Link) -> Result<Vec<StreamEntry>> {
        let page = range(link, &self.stream, &self.from, PAGE_MAX).await?;
        if let Some((last, _)) = page.last() {
            self.from = after(last);
        }
        Ok(page)
    }
}

/// The ids that come after this one, whichever way, as a range begins.
pub(crate) fn after(id: &[u8]) -> String {
    format!("({}", String::from_utf8_lossy(id))
}

/// The version in an entry's id, and whether it is one of ours.
pub(crate) fn parse_id(id: &[u8]) -> Option<(Version, bool)> {
    let mut parts = id.split(|byte| *byte == b'-');
    let version = parse_version(parts.next()?)?;
    Some((version, parts.next() == Some(b"0")))
}

/// The record that an entry holds; `None` when nobody of us has written it.
pub(crate) fn parse_entry((id, fields): &StreamEntry) -> Option<Record> {
    let (version, true) = parse_id(id)? else {
        return None;
    };
    let (mut key, mut body) = (None, None);
    let mut fields = fields.iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        match &name[..] {
            b"k" => key = Some(Key::from(std::str::from_utf8(value).ok()?)),
            b"b" => body = Some(value.clone()),
            _ => {}
        }
    }
    Some(Record {
        key: key?,
        version,
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &'static str, fields: [&'static str; 2]) -> StreamEntry {
        let field = |text: &'static str| Bytes::from_static(text.as_bytes());
        (field(id), fields.map(field).to_vec())
    }

    #[test]
    fn an_entry_without_a_body_is_a_tombstone_and_one_without_a_key_is_nothing() {
        let record = parse_entry(&entry("17-0", ["k", "Jane"])).unwrap();
        assert_eq!((record.version.get(), record.body), (17, None));
        for other in [
            entry("17-0", ["b", "{}"]),
            entry("x-0", ["k", "Jane"]),
            entry("17-1", ["k", "Jane"]),
            entry("17", ["k", "Jane"]),
        ] {
            assert_eq!(parse_entry(&other), None, "{other:?}");
        }
    }
}
