//! What a line asks for.

use bytes::Bytes;
use cache_core::model::record::Key;

use super::lines::LINE_BYTES_MAX;
use crate::input::{Line, parse_line};
use crate::problem::{Kind, Problem};

/// A write without conditions.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A user to write.
    Put(Key, Bytes),
    /// The name of one to delete.
    Delete(Key),
}

impl Change {
    /// What the line `text` asks for; without a text it is too long.
    ///
    /// # Errors
    /// `4xx` with every reason.
    pub(crate) fn of_line(text: Option<&[u8]>) -> Result<Change, Problem> {
        let text = text.ok_or_else(too_long)?;
        Ok(match parse_line(text)? {
            Line::User(user) => Change::Put(Key::from(&*user.name), user.to_body()),
            Line::Delete(name) => Change::Delete(Key::from(&*name)),
        })
    }

    /// The name that it changes.
    pub(crate) fn key(&self) -> &Key {
        let (Change::Put(key, _) | Change::Delete(key)) = self;
        key
    }
}

/// `413`: a line that is too long.
pub(crate) fn too_long() -> Problem {
    let detail = format!("the line has more than {LINE_BYTES_MAX} bytes");
    Problem::new(Kind::BodyTooLarge, detail)
}
