//! The file of tokens: a line a token, with its hash, its right and the name of its holder.
//!
//! ```text
//! # comment
//! sha256:60303ae2…  write  billing
//! ```
//!
//! The file has hashes, so reading it gives no token away. A token is 256 random bits, which no guessing finds: so
//! one round of SHA-256 is enough, and a slow hash, which is for passwords that people choose, would only cost time
//! at every request.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::auth::Right;

/// Most tokens of a file: each request is compared with all.
const TOKENS_MAX: usize = 1000;
/// The longest token that is looked up.
const TOKEN_BYTES_MAX: usize = 1024;
/// The longest name.
const NAME_BYTES_MAX: usize = 64;
/// Random bytes of a new token.
const RANDOM_BYTES: usize = 32;
/// How a token begins, by which scanners of secrets find one that was published by mistake.
const PREFIX: &str = "wc_";
const HASH_PREFIX: &str = "sha256:";

type Hash = [u8; 32];

/// One line.
#[derive(Debug)]
pub(super) struct Token {
    hash: Hash,
    pub(super) right: Right,
    pub(super) name: Arc<str>,
}

/// All lines.
#[derive(Debug)]
pub(super) struct Tokens(Vec<Token>);

impl Tokens {
    /// Reads the file.
    ///
    /// # Errors
    /// The number of the first line that is wrong, and what is; never what it contains.
    pub(super) fn parse(content: &[u8]) -> Result<Tokens, String> {
        let mut tokens: Vec<Token> = Vec::new();
        for (line, number) in content.split(|byte| *byte == b'\n').zip(1..) {
            let wrong = |reason: &str| format!("line {number}: {reason}");
            let line = str::from_utf8(line).map_err(|_| wrong("is not UTF-8"))?;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let token = token(line).map_err(wrong)?;
            if tokens.iter().any(|other| other.hash == token.hash) {
                return Err(wrong("has the same token as a line before it"));
            }
            if tokens.len() == TOKENS_MAX {
                return Err(wrong("is one more token than the 1,000 that there may be"));
            }
            tokens.push(token);
        }
        match tokens.is_empty() {
            true => Err("the file has no token".to_owned()),
            false => Ok(Tokens(tokens)),
        }
    }

    /// The line of a token. Takes as long for any token, whatever line it is in and however much of it is right.
    pub(super) fn find(&self, token: &[u8]) -> Option<&Token> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let hash = Hash::from(Sha256::digest(token));
        let mut found = None;
        for token in &self.0 {
            if bool::from(token.hash.ct_eq(&hash)) {
                found = Some(token);
            }
        }
        found
    }
}

fn token(line: &str) -> Result<Token, &'static str> {
    let mut words = line.split_whitespace();
    let (Some(hash), Some(right), Some(name), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("must be a hash, a right and a name, separated by spaces");
    };
    let hash = hash.strip_prefix(HASH_PREFIX).and_then(bytes_of);
    let mut rights = Right::OF_TOKENS.into_iter();
    Ok(Token {
        hash: hash.ok_or("the hash must be sha256: and 64 digits from 0 to f")?,
        right: rights
            .find(|known| known.name() == right)
            .ok_or("the right must be read, write or admin")?,
        name: checked_name(name)?.into(),
    })
}

fn bytes_of(hex: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if hex.len() != hash.len() * 2 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, place) in hash.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(place..place + 2)?, 16).ok()?;
    }
    Some(hash)
}

fn checked_name(name: &str) -> Result<&str, &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain) {
        true => Ok(name),
        false => Err("the name must be 1 to 64 letters, digits, dots, hyphens and underscores"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A new token, and its line.
///
/// # Errors
/// What is wrong with the name, or why the system has no random numbers.
pub(super) fn make(right: &str, name: &str) -> Result<(String, String), String> {
    let name = checked_name(name)?;
    let mut random = [0; RANDOM_BYTES];
    let mut filled = 0;
    while let Some(rest) = random.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let flags = rustix::rand::GetRandomFlags::empty();
        filled += rustix::rand::getrandom(rest, flags).map_err(|error| error.to_string())?;
    }
    let token = format!("{PREFIX}{}", hex(&random));
    let hash = hex(&Sha256::digest(&token));
    Ok((token, format!("{HASH_PREFIX}{hash} {right} {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_what_was_made_for_it() {
        let (reader, read) = make("read", "prometheus").unwrap();
        let (writer, write) = make("write", "billing").unwrap();
        assert!(reader.starts_with(PREFIX) && reader.len() == 67 && reader != writer);
        let file = format!("# ours\n\n{read}\r\n  {write}  \n");
        let tokens = Tokens::parse(file.as_bytes()).unwrap();
        let found = |token: &str| {
            let token = tokens.find(token.as_bytes())?;
            Some((token.right, &*token.name))
        };
        assert_eq!(found(&reader), Some((Right::Read, "prometheus")));
        assert_eq!(found(&writer), Some((Right::Write, "billing")));
        assert_eq!(found(&reader[1..]), None);
        assert_eq!(found(""), None);
        assert_eq!(found(&"a".repeat(TOKEN_BYTES_MAX + 1)), None);
    }

    #[test]
    fn a_wrong_line_is_named_without_its_contents() {
        let (_, line) = make("read", "a").unwrap();
        let secret = "wc_secret";
        for (text, expected) in [
            (String::new(), "the file has no token"),
            ("# only a comment".to_owned(), "the file has no token"),
            (secret.to_owned(), "line 1: must be a hash"),
            (format!("{line} {secret}"), "line 1: must be a hash"),
            (format!("\n{secret} read a"), "line 2: the hash must be"),
            (line.replace("read", secret), "line 1: the right must be"),
            (line.replace(" a", " a/b"), "line 1: the name must be"),
            (format!("{line}\n{line}"), "line 2: has the same token"),
            (line.replace("256:", "256:é"), "line 1: the hash must be"),
        ] {
            let reason = Tokens::parse(text.as_bytes()).err().unwrap();
            assert!(reason.starts_with(expected), "{reason}");
            assert!(!reason.contains(secret), "{reason}");
        }
        assert!(make("read", "no name").is_err());
    }

    #[test]
    fn a_file_has_at_most_so_many_tokens() {
        let line = |number: usize| format!("sha256:{number:064x} read a\n");
        let lines = |count| (0..count).map(line).collect::<String>();
        assert!(Tokens::parse(lines(TOKENS_MAX).as_bytes()).is_ok());
        let reason = Tokens::parse(lines(TOKENS_MAX + 1).as_bytes())
            .err()
            .unwrap();
        assert!(reason.starts_with("line 1001: "), "{reason}");
    }
}
