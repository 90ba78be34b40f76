//! The JSON of a user, from the form in which cache and journal keep it.

use cache_core::error::{Error, Part};
use cache_core::model::record::Key;
use cache_core::model::user::write_json;

/// Bytes of a user besides its texts, and the line's end.
const MEMBERS_BYTES: usize = 40;

/// The user of a record's key and body, as the body of an answer.
///
/// # Errors
/// When they are no user: another program has put them there.
pub(crate) fn user(key: &Key, body: &[u8]) -> Result<Vec<u8>, Error> {
    let mut text = Vec::with_capacity(key.as_str().len() + body.len() + MEMBERS_BYTES);
    add_user(key, body, &mut text)?;
    text.push(b'\n');
    Ok(text)
}

/// Adds the user of a record's key and body to a text of JSON.
///
/// # Errors
/// As [`user`].
pub(crate) fn add_user(key: &Key, body: &[u8], text: &mut Vec<u8>) -> Result<(), Error> {
    write_json(key.as_str(), body, text).map_err(|error| Error::corrupt(Part::Cache, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_answered_as_its_user_or_as_an_error() {
        let key = Key::from("Ann");
        let answer = user(&key, b"\x01\x1ex").ok().unwrap();
        assert_eq!(
            answer,
            b"{\"name\":\"Ann\",\"age\":30,\"occupation\":\"x\"}\n"
        );
        let unreadable = user(&key, b"\x02\x1ex").err().unwrap();
        assert!(matches!(unreadable, Error::Corrupt { .. }));
    }
}
