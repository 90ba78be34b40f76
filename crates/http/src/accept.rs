//! `Accept`: which form of an answer a client prefers.

use actix_web::http::header::{ACCEPT, HeaderMap};

/// Whether `Accept` names the media type, and JSON less. A program that takes anything gets JSON.
pub(crate) fn prefers(headers: &HeaderMap, media_type: &str) -> bool {
    quality(headers, media_type) > quality(headers, "application/json")
}

/// The weight that `Accept` gives to this media type by its name; 0 without (RFC 9110, section 12.5.1).
fn quality(headers: &HeaderMap, media_type: &str) -> f32 {
    let lines = headers.get_all(ACCEPT);
    let ranges = lines.filter_map(|line| line.to_str().ok());
    let mut ranges = ranges.flat_map(|line| line.split(','));
    let named = ranges.find_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_named = parts.next()?.eq_ignore_ascii_case(media_type);
        is_named.then(|| parts.find_map(|part| part.strip_prefix("q=")))
    });
    match named {
        None => 0.0,
        Some(None) => 1.0,
        Some(Some(weight)) => weight.parse().unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn html_is_for_clients_that_name_it() {
        for (accept, is_html) in [
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                true,
            ),
            ("TEXT/HTML", true),
            ("application/json;q=0.5, text/html;q=0.6", true),
            ("*/*", false),
            ("text/*", false),
            ("", false),
            ("application/json, text/plain, */*", false),
            ("text/html, application/json", false),
            ("text/html;q=0", false),
            ("text/html;q=x", false),
        ] {
            let request = TestRequest::default().insert_header((ACCEPT, accept));
            let request = request.to_http_request();
            assert_eq!(prefers(request.headers(), "text/html"), is_html, "{accept}");
        }
    }
}
