//! The form of the journal's entries: one a batch of writes, in one field called `w`. The entry's id is the version
//! of its last write, `<version>-0`. The versions of a batch follow each other, so the others are not stored.
//!
//! ```text
//! form    1 byte: 1
//! count   number: of the writes
//! of each write, from the oldest to the newest:
//!   number: bytes of the key
//!   number: bytes of the body, 0 = tombstone
//!   the key in UTF-8, the body
//! ```
//!
//! A number is LEB128: seven bits a byte, the lowest first, all bytes but the last with the highest bit set. Its
//! shortest form is the only one that parses. An entry of any other form parses to nothing, as a whole. Scripts cut
//! fields of this form, and count their writes (`waiting.lua`).

use std::sync::LazyLock;

use bytes::Bytes;
use deadpool_redis::redis::Script;

use crate::error::Result;
use crate::model::record::{Key, Record};
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::redis::{Call, Link, Redis, parse_version};

static PAGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("waiting.lua"),
        include_str!("page.lua")
    ))
});

/// An entry as the server gives it: its id, and its fields in turn with their values.
pub(crate) type StreamEntry = (Bytes, Vec<Bytes>);

/// About how many writes a walk along a stream takes in one round trip: an entry more, at most.
const PAGE_MAX: usize = 1_000;

const FORM: u8 = 1;
const FIELD: &[u8] = b"w";
/// Most bytes of a number.
const NUMBER_MAX: usize = 5;

/// The packed field of `count` writes, each a key and a body; an empty body is a tombstone.
pub(crate) fn pack<'a>(
    count: usize,
    writes: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
) -> Vec<u8> {
    let bytes = writes
        .clone()
        .map(|(key, body)| 2 * NUMBER_MAX + key.len() + body.len());
    let mut packed = Vec::with_capacity(1 + NUMBER_MAX + bytes.sum::<usize>());
    packed.push(FORM);
    push_number(&mut packed, count);
    for (key, body) in writes {
        push_number(&mut packed, key.len());
        push_number(&mut packed, body.len());
        packed.extend_from_slice(key);
        packed.extend_from_slice(body);
    }
    packed
}

fn push_number(packed: &mut Vec<u8>, mut number: usize) {
    while number > 127 {
        packed.push((number & 127) as u8 | 128);
        number >>= 7;
    }
    packed.push(number as u8);
}

/// What is left of a packed field.
struct Rest<'a>(&'a Bytes, usize);

impl Rest<'_> {
    fn number(&mut self) -> Option<usize> {
        let mut number = 0_usize;
        for place in 0..NUMBER_MAX {
            let byte = *self.0.get(self.1)?;
            self.1 += 1;
            number |= usize::from(byte & 127) << (7 * place);
            if byte < 128 {
                let is_shortest = byte > 0 || place == 0;
                return is_shortest.then_some(number);
            }
        }
        None
    }

    fn bytes(&mut self, count: usize) -> Option<Bytes> {
        let end = self
            .1
            .checked_add(count)
            .filter(|end| *end <= self.0.len())?;
        let bytes = self.0.slice(self.1..end);
        self.1 = end;
        Some(bytes)
    }

    fn text(&mut self, count: usize) -> Option<&str> {
        let start = self.1;
        self.1 = start.checked_add(count)?;
        std::str::from_utf8(self.0.get(start..self.1)?).ok()
    }
}

/// The versions of an entry's writes, the first and the last one; of an entry of another form, the version in its id
/// twice. `None` if that is no version. The entry as a whole may have no known form even so.
pub(crate) fn versions((id, fields): &StreamEntry) -> Option<(Version, Version)> {
    let (last, is_ours) = parse_id(id)?;
    let first = match &fields[..] {
        [name, packed] if is_ours && name == FIELD && packed.first() == Some(&FORM) => {
            let count = Rest(packed, 1).number();
            let count = count.filter(|count| *count > 0 && 2 * count < packed.len());
            let before = count.and_then(|count| last.get().checked_sub(count as u64));
            before
                .and_then(|before| Version::new(before + 1))
                .unwrap_or(last)
        }
        _ => last,
    };
    Some((first, last))
}

/// Adds the writes of an entry that are newer than `after` to `records`. `None` if the entry is none of ours: then
/// nothing is added.
pub(crate) fn unpack(entry: &StreamEntry, after: Version, records: &mut Vec<Record>) -> Option<()> {
    let before = records.len();
    let unpacked = unpack_all(entry, after, records);
    if unpacked.is_none() {
        records.truncate(before);
    }
    unpacked
}

fn unpack_all((id, fields): &StreamEntry, after: Version, records: &mut Vec<Record>) -> Option<()> {
    let (last, true) = parse_id(id)? else {
        return None;
    };
    let [name, packed] = &fields[..] else {
        return None;
    };
    if name != FIELD || packed.first() != Some(&FORM) {
        return None;
    }
    let mut rest = Rest(packed, 1);
    let count = rest.number().filter(|count| *count > 0)? as u64;
    let before = last.get().checked_sub(count)?;
    for place in 1..=count {
        let version = Version::new(before + place)?;
        let (key, body) = (rest.number()?, rest.number()?);
        let key = rest.text(key)?;
        if version <= after {
            rest.bytes(body)?;
            continue;
        }
        let key = Key::from(key);
        let body = Some(rest.bytes(body)?).filter(|body| !body.is_empty());
        records.push(Record { key, version, body });
    }
    (rest.1 == packed.len()).then_some(())
}

/// Whether an entry has the one known form.
pub(crate) fn is_known(entry: &StreamEntry) -> bool {
    unpack_all(entry, Version::MAX, &mut Vec::new()).is_some()
}

/// A few entries of a stream, in turn.
#[derive(Debug)]
pub(crate) struct StreamPage {
    /// Whether the stream and the shard's clock are there.
    pub(crate) exists: bool,
    /// The version through which a partly acknowledged entry is acknowledged; outside the
    /// versions of an entry it means nothing.
    through: Version,
    pub(crate) entries: Vec<StreamEntry>,
}

impl StreamPage {
    /// The version through which an entry is acknowledged in part; zero if it is not.
    pub(crate) fn acknowledged(&self, entry: &StreamEntry) -> Version {
        match versions(entry) {
            Some((first, last)) if (first..last).contains(&self.through) => self.through,
            _ => Version::ZERO,
        }
    }
}

/// Which way a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

/// The entries of a shard's journal from the id `from` on: as many as hold `writes` writes that are newer than
/// `after` and wait.
pub(crate) async fn page(
    link: &mut Link,
    redis: &Redis,
    shard: Shard,
    (from, direction): (&str, Direction),
    (writes, after): (usize, Version),
) -> Result<StreamPage> {
    let keyspace = &redis.keyspace;
    let names = vec![
        keyspace.journal(shard),
        keyspace.waiting(shard),
        link.keys.clock(shard),
    ];
    let mut call = Call::new(&PAGE, names);
    call.arg(from)
        .arg(match direction {
            Direction::Up => "up",
            Direction::Down => "down",
        })
        .arg(writes)
        .arg(after.get());
    let (exist, through, entries): (u8, Bytes, Vec<StreamEntry>) = link.script(call).await?;
    Ok(StreamPage {
        exists: exist == 2,
        through: parse_version(&through).unwrap_or_default(),
        entries,
    })
}

/// A walk along a shard's journal, from an id on.
#[derive(Debug)]
pub(crate) struct Walk {
    shard: Shard,
    from: String,
    direction: Direction,
}

impl Walk {
    pub(crate) fn new(shard: Shard, from: String, direction: Direction) -> Walk {
        Walk {
            shard,
            from,
            direction,
        }
    }

    /// The next page; empty at the end.
    pub(crate) async fn next(&mut self, link: &mut Link, redis: &Redis) -> Result<StreamPage> {
        let from = (&*self.from, self.direction);
        let page = page(link, redis, self.shard, from, (PAGE_MAX, Version::ZERO)).await?;
        if let Some((last, _)) = page.entries.last() {
            // The ids that come after this one, whichever way.
            self.from = format!("({}", String::from_utf8_lossy(last));
        }
        Ok(page)
    }
}

/// The version in an entry's id, and whether it is one of ours.
pub(crate) fn parse_id(id: &[u8]) -> Option<(Version, bool)> {
    let mut parts = id.split(|byte| *byte == b'-');
    let version = parse_version(parts.next()?)?;
    Some((version, parts.next() == Some(b"0")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(id: &str, fields: &[&[u8]]) -> StreamEntry {
        let fields = fields.iter().map(|field| Bytes::copy_from_slice(field));
        (Bytes::copy_from_slice(id.as_bytes()), fields.collect())
    }

    fn packed(last: u64, writes: &[(&str, &str)]) -> StreamEntry {
        let bytes = writes
            .iter()
            .map(|(key, body)| (key.as_bytes(), body.as_bytes()));
        entry(&format!("{last}-0"), &[FIELD, &pack(writes.len(), bytes)])
    }

    fn version(number: u64) -> Version {
        Version::new(number).unwrap()
    }

    fn unpacked(entry: &StreamEntry, after: u64) -> Option<Vec<(u64, String, Option<Bytes>)>> {
        let mut records = Vec::new();
        let known = unpack(entry, version(after), &mut records);
        assert!(known.is_some() || records.is_empty());
        let parts = records.into_iter().map(|record| {
            (
                record.version.get(),
                record.key.as_str().to_owned(),
                record.body,
            )
        });
        known.map(|()| parts.collect())
    }

    #[test]
    fn the_versions_of_a_batch_end_with_its_id() {
        let batch = packed(17, &[("Jane", "{}"), ("Bob", ""), ("Zoë", "x")]);
        let all = unpacked(&batch, 0).unwrap();
        let expected = [
            (15, "Jane", Some("{}")),
            (16, "Bob", None),
            (17, "Zoë", Some("x")),
        ];
        let expected =
            expected.map(|(version, key, body)| (version, key.to_owned(), body.map(Bytes::from)));
        assert_eq!(all, expected);
        assert_eq!(unpacked(&batch, 15).unwrap(), expected[1..]);
        assert_eq!(unpacked(&batch, 17).unwrap(), []);
        assert_eq!(versions(&batch), Some((version(15), version(17))));
    }

    #[test]
    fn nothing_else_is_a_batch() {
        let writes = [(&b"Jane"[..], &b"{}"[..]), (b"Bob", b"")];
        let good = pack(2, writes.into_iter());
        let (id, field) = ("17-0", FIELD);
        assert!(is_known(&entry(id, &[field, &good])));
        for cut in 0..good.len() {
            let cut = entry(id, &[field, &good[..cut]]);
            assert_eq!(unpacked(&cut, 0), None, "{cut:?}");
            assert_eq!(unpacked(&cut, 99), None, "{cut:?}");
        }
        let changed = |place: usize, byte: u8| {
            let mut changed = good.clone();
            changed[place] = byte;
            changed
        };
        let trailing = [&good[..], b"x"].concat();
        let long_count = [&[FORM, 0x82, 0], &good[2..]].concat();
        let endless = [&[FORM, 0xff, 0xff, 0xff, 0xff, 0xff], &good[2..]].concat();
        for other in [
            changed(0, 2),
            changed(1, 0),
            changed(1, 1),
            changed(1, 3),
            changed(2, 5),
            changed(2, 3),
            changed(3, 127),
            changed(4, 0xff),
            trailing,
            long_count,
            endless,
        ] {
            assert!(!is_known(&entry(id, &[field, &other])), "{other:?}");
        }
        // Before the first version there can be.
        for id in ["1-0", "17-1", "17", "x-0", ""] {
            assert!(!is_known(&entry(id, &[field, &good])), "{id}");
        }
        for fields in [
            &[][..],
            &[field],
            &[b"k", &good],
            &[field, &good, field, &good],
            &[b"k", b"Jane"],
            &[b"k", b"Jane", b"b", b"{}"],
        ] {
            assert!(!is_known(&entry("17-0", fields)), "{fields:?}");
        }
    }

    #[test]
    fn an_entry_of_another_form_counts_as_one_write() {
        let one = |number| Some((version(number), version(number)));
        assert_eq!(versions(&entry("17-0", &[b"k", b"Jane"])), one(17));
        assert_eq!(
            versions(&entry("17-1", &[FIELD, &[FORM, 2, 0, 0]])),
            one(17)
        );
        // More writes than it has room for.
        assert_eq!(
            versions(&entry("17-0", &[FIELD, &[FORM, 9, 1, 0, b'a']])),
            one(17)
        );
        assert_eq!(versions(&entry("x", &[])), None);
    }

    proptest! {
        #[test]
        fn any_batch_comes_back(
            lengths in prop::collection::vec((0usize..300, 0usize..20_000), 1..30),
        ) {
            let texts = lengths.iter().map(|(key, body)| ("k".repeat(*key), "b".repeat(*body)));
            let texts: Vec<(String, String)> = texts.collect();
            let of: Vec<(&str, &str)> = texts.iter().map(|(key, body)| (&**key, &**body)).collect();
            let back = unpacked(&packed(1_000_000, &of), 0).unwrap();
            prop_assert_eq!(back.len(), of.len());
            for ((_, key, body), (key_before, body_before)) in back.iter().zip(&of) {
                prop_assert_eq!(key, key_before);
                prop_assert_eq!(body.as_deref().unwrap_or_default(), body_before.as_bytes());
            }
        }
    }
}
