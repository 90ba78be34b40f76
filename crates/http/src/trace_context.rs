//! The trace that a request belongs to: W3C Trace Context.

use actix_web::http::header::{HeaderMap, HeaderName};
use cache_core::telemetry::trace::Traceparent;

use crate::origins::only;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What the request's `traceparent` says, where that is valid.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<Traceparent<'_>> {
    parse(only(headers, TRACEPARENT)?)
}

/// `<version>-<trace id>-<parent id>-<flags>`, in small letters. Later versions may have more behind it.
fn parse(value: &str) -> Option<Traceparent<'_>> {
    let mut fields = value.split('-');
    let version = digits(fields.next()?, 2)?;
    let trace_id = digits(fields.next()?, 32).filter(|trace| !is_zero(trace))?;
    let parent_id = digits(fields.next()?, 16).filter(|parent| !is_zero(parent))?;
    let flags = u8::from_str_radix(digits(fields.next()?, 2)?, 16).ok()?;
    let is_known = match version {
        "00" => fields.next().is_none(),
        version => version != "ff",
    };
    is_known.then_some(Traceparent {
        trace_id,
        parent_id,
        is_sampled: flags & SAMPLED != 0,
    })
}

/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

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
        for (text, is_sampled) in [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), true),
            (format!("00-{TRACE}-00f067aa0ba902b7-00"), false),
            (format!("00-{TRACE}-00f067aa0ba902b7-02"), false),
            (format!("00-{TRACE}-00f067aa0ba902b7-03"), true),
            (format!("01-{TRACE}-00f067aa0ba902b7-01-more"), true),
        ] {
            let expected = Traceparent {
                trace_id: TRACE,
                parent_id: "00f067aa0ba902b7",
                is_sampled,
            };
            assert_eq!(parse(&text), Some(expected), "{text}");
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
