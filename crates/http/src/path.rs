//! The name in a path.

use std::borrow::Cow;

use actix_web::HttpRequest;
use percent_encoding::percent_decode_str;

use crate::input::checked_name;
use crate::problem::Problem;

/// The last segment of the request's path, percent-decoded once, strictly: what
/// does not decode is refused rather than replaced.
///
/// # Errors
/// `400` when it does not decode, `422` when it is no valid name.
pub fn name(request: &HttpRequest) -> Result<Cow<'_, str>, Problem> {
    checked_name(segment(request, 0)?, "name")
}

/// The segment of the request's path that has `after` others after it, decoded
/// in the same way.
///
/// # Errors
/// `400` when it does not decode.
pub fn segment(request: &HttpRequest, after: usize) -> Result<Cow<'_, str>, Problem> {
    // The raw path: the router's own copy is decoded in part.
    let mut segments = request.uri().path().rsplit('/');
    decode(segments.nth(after).unwrap_or_default())
}

/// Percent-decodes `text`.
///
/// # Errors
/// `400` for a `%` without two hexadecimal digits, and for bytes that are not UTF-8.
pub fn decode(text: &str) -> Result<Cow<'_, str>, Problem> {
    let mut escapes = text.split('%').skip(1);
    let whole = |after: &str| {
        after
            .as_bytes()
            .get(..2)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !escapes.all(whole) {
        return Err(Problem::malformed(
            "a '%' in the URL must be followed by two hexadecimal digits",
        ));
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map_err(|_| Problem::malformed("the URL is not UTF-8 when it is decoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_happens_once_and_refuses_what_it_cannot_decode() {
        for (text, decoded) in [
            ("a%2Fb", "a/b"),
            ("%2541", "%41"),
            ("a+b", "a+b"),
            ("%F0%9F%98%80", "😀"),
            ("", ""),
        ] {
            assert_eq!(decode(text).unwrap(), decoded);
        }
        for text in ["%", "%4", "%zz", "a%", "%FF", "%C3%28", "%+1"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }
}
