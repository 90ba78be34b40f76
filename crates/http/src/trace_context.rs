//! The trace that a request belongs to: W3C Trace Context.

use actix_web::http::header::{HeaderMap, HeaderName};

use crate::origins::only;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The trace id of the request, as 32 hexadecimal digits, where its `traceparent` is valid.
pub(crate) fn trace_id(headers: &HeaderMap) -> Option<&str> {
    parse(only(headers, TRACEPARENT)?)
}

/// `<version>-<trace id>-<parent id>-<flags>`, in small letters. Later versions may have more behind it.
fn parse(value: &str) -> Option<&str> {
    let mut fields = value.split('-');
    let version = digits(fields.next()?, 2)?;
    let trace = digits(fields.next()?, 32).filter(|trace| !is_zero(trace))?;
    digits(fields.next()?, 16).filter(|parent| !is_zero(parent))?;
    digits(fields.next()?, 2)?;
    let is_known = match version {
        "00" => fields.next().is_none(),
        version => version != "ff",
    };
    is_known.then_some(trace)
}

fn digits(field: &str, count: usize) -> Option<&str> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (field.len() == count && field.bytes().all(is_digit)).then_some(field)
}

fn is_zero(field: &str) -> bool {
    field.bytes().all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_valid_context_names_its_trace() {
        for text in [
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-00"),
            format!("01-{TRACE}-00f067aa0ba902b7-01-more"),
        ] {
            assert_eq!(parse(&text), Some(TRACE), "{text}");
        }
    }

    #[test]
    fn an_invalid_context_is_ignored() {
        let upper = TRACE.to_uppercase();
        for text in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}"),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{upper}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-1"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{}-00f067aa0ba902b7-01", "x".repeat(32)),
        ] {
            assert_eq!(parse(&text), None, "{text}");
        }
    }
}
