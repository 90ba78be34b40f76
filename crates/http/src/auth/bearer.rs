//! The `Authorization` of a request, and how one without the right is answered (RFC 6750, section 3).

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use crate::auth::Right;
use crate::problem::{Kind, Problem};

/// What a request says about its sender.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credentials<'a> {
    /// Nothing, or nothing that is a bearer token.
    None,
    /// A token, whatever it is worth.
    Token(&'a [u8]),
    /// More than one `Authorization`, of which a proxy might have judged another.
    Several,
}

pub(super) fn credentials(headers: &HeaderMap) -> Credentials<'_> {
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else {
        return Credentials::None;
    };
    if values.next().is_some() {
        return Credentials::Several;
    }
    match value.as_bytes().split_at_checked(b"bearer ".len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => {
            Credentials::Token(token.trim_ascii())
        }
        _ => Credentials::None,
    }
}

/// `401` without an error code: the request has no token.
pub(super) fn missing() -> Problem {
    let detail = "this call needs a token: Authorization: Bearer TOKEN";
    let challenge = HeaderValue::from_static(r#"Bearer realm="write-cache""#);
    challenged(Kind::Unauthorized, detail, challenge)
}

/// `401`: no line of the file has the token.
pub(super) fn unknown_token() -> Problem {
    let challenge = r#"Bearer realm="write-cache", error="invalid_token""#;
    let challenge = HeaderValue::from_static(challenge);
    challenged(Kind::Unauthorized, "the token is not known here", challenge)
}

/// `400`: more than one `Authorization`.
pub(super) fn several() -> Problem {
    let challenge = r#"Bearer realm="write-cache", error="invalid_request""#;
    let challenge = HeaderValue::from_static(challenge);
    let detail = "there is more than one Authorization";
    challenged(Kind::MalformedRequest, detail, challenge)
}

/// `403`: the token has a lesser right.
pub(super) fn insufficient(needed: Right) -> Problem {
    let challenge = match needed {
        Right::Anyone | Right::Read => {
            r#"Bearer realm="write-cache", error="insufficient_scope", scope="read""#
        }
        Right::Write => r#"Bearer realm="write-cache", error="insufficient_scope", scope="write""#,
        Right::Admin => r#"Bearer realm="write-cache", error="insufficient_scope", scope="admin""#,
    };
    let detail = format!("this call needs a token with the right {}", needed.name());
    let challenge = HeaderValue::from_static(challenge);
    challenged(Kind::InsufficientRight, detail, challenge)
}

fn challenged(
    kind: Kind,
    detail: impl Into<std::borrow::Cow<'static, str>>,
    challenge: HeaderValue,
) -> Problem {
    Problem::with_header(kind, detail, WWW_AUTHENTICATE, challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_one_bearer_token_is_one() {
        assert_eq!(credentials(&of(&[])), Credentials::None);
        assert_eq!(credentials(&of(&["Basic YTpi"])), Credentials::None);
        assert_eq!(credentials(&of(&["Bearer"])), Credentials::None);
        assert_eq!(credentials(&of(&["Bearerabc"])), Credentials::None);
        assert_eq!(credentials(&of(&["Bearer "])), Credentials::Token(b""));
        assert_eq!(
            credentials(&of(&["bEARER  abc "])),
            Credentials::Token(b"abc")
        );
        let two = of(&["Bearer abc", "Bearer abc"]);
        assert_eq!(credentials(&two), Credentials::Several);
    }
}
