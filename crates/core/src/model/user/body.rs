//! A user as the body of a record: without its name, which is the record's key.
//!
//! ```text
//! form        1 byte: 1
//! age         1 byte
//! occupation  all that is left, in UTF-8
//! ```
//!
//! Versions before this form stored the JSON of the whole user. JSON never begins with the byte of a form, so the two are
//! told apart, and both are read.

use std::cell::RefCell;

use bytes::Bytes;
use serde::de::Error as _;

use super::{BorrowedUser, User};

const FORM: u8 = 1;

impl<'a> BorrowedUser<'a> {
    /// The record's body.
    pub fn to_body(&self) -> Bytes {
        thread_local! {
            static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        BODY.with_borrow_mut(|body| {
            body.clear();
            body.extend_from_slice(&[FORM, self.age]);
            body.extend_from_slice(self.occupation.as_bytes());
            // IMPORTANT: without the buffer's spare room. It can be more than the record, and would be
            // kept in memory for as long as the write waits.
            Bytes::copy_from_slice(body)
        })
    }

    /// The user of this name that [`User::to_body`] wrote, or a version before it.
    ///
    /// # Errors
    /// When the bytes are no such body.
    pub fn from_body(name: &'a str, body: &'a [u8]) -> serde_json::Result<BorrowedUser<'a>> {
        match body {
            [FORM, age, occupation @ ..] => Ok(BorrowedUser {
                name: name.into(),
                age: *age,
                occupation: std::str::from_utf8(occupation)
                    .map_err(serde_json::Error::custom)?
                    .into(),
            }),
            _ => serde_json::from_slice(body),
        }
    }
}

impl User {
    /// As [`BorrowedUser::to_body`].
    pub fn to_body(&self) -> Bytes {
        let User {
            name,
            age,
            occupation,
        } = self;
        let user = BorrowedUser {
            name: name.into(),
            age: *age,
            occupation: occupation.into(),
        };
        user.to_body()
    }

    /// As [`BorrowedUser::from_body`].
    ///
    /// # Errors
    /// When the bytes are no such body.
    pub fn from_body(name: &str, body: &[u8]) -> serde_json::Result<User> {
        let BorrowedUser {
            name,
            age,
            occupation,
        } = BorrowedUser::from_body(name, body)?;
        Ok(User {
            name: name.into_owned(),
            age,
            occupation: occupation.into_owned(),
        })
    }
}

/// Adds to `text` the JSON of the user whose name and body these are, field for field as the API answers.
///
/// # Errors
/// When the bytes are no body. What `text` holds then has no meaning.
pub fn write_json(name: &str, body: &[u8], text: &mut Vec<u8>) -> serde_json::Result<()> {
    match body {
        // It is that already.
        [b'{', ..] => text.extend_from_slice(body),
        _ => serde_json::to_writer(text, &BorrowedUser::from_body(name, body)?)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, age: u8, occupation: &str) -> User {
        User {
            name: name.to_owned(),
            age,
            occupation: occupation.to_owned(),
        }
    }

    fn json(name: &str, body: &[u8]) -> Option<String> {
        let mut text = Vec::new();
        write_json(name, body, &mut text).ok()?;
        Some(String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_body_reads_back_as_the_user_and_as_its_json() {
        for user in [
            user("Zoë \"Z\" 😀", 7, "\u{1}\n"),
            user("John Doe", 30, "Engineer"),
            user("{", 0, "{\"name\":\"x\"}"),
            user("a", 255, &"😀".repeat(255)),
        ] {
            let body = user.to_body();
            assert_eq!(User::from_body(&user.name, &body).unwrap(), user);
            let expected = serde_json::to_string(&user).unwrap();
            assert_eq!(json(&user.name, &body), Some(expected));
        }
    }

    #[test]
    fn a_body_has_form_age_and_occupation() {
        let body = user("John Doe", 30, "Engineer").to_body();
        assert_eq!(&body[..], b"\x01\x1eEngineer");
        let expected = r#"{"name":"John Doe","age":30,"occupation":"Engineer"}"#;
        assert_eq!(json("John Doe", &body).unwrap(), expected);
    }

    #[test]
    fn the_json_of_older_versions_is_read() {
        let older = r#"{"name":"John Doe","age":30,"occupation":"Engin\u0065er"}"#;
        let read = User::from_body("John Doe", older.as_bytes()).unwrap();
        assert_eq!(read, user("John Doe", 30, "Engineer"));
        assert_eq!(json("John Doe", older.as_bytes()).unwrap(), older);
    }

    #[test]
    fn nothing_else_is_a_body() {
        for other in [
            &b""[..],
            b"\x01",
            b"\x01\x1e\xff",
            b"\x02\x1eEngineer",
            b"\0\x1eEngineer",
            b"[\"a\",30,\"x\"",
            b"x",
        ] {
            assert!(User::from_body("a", other).is_err(), "{other:?}");
            assert_eq!(json("a", other), None, "{other:?}");
        }
        assert!(User::from_body("a", b"{}").is_err());
    }

    #[test]
    fn a_body_takes_no_more_memory_than_it_needs() {
        for occupation in ["x", &"😀".repeat(255)] {
            let body = user("Zoë", 30, occupation).to_body();
            let bytes = body.len();
            assert_eq!(Vec::from(body).capacity(), bytes);
        }
    }
}
