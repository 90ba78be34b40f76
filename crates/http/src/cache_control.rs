//! `Cache-Control` of a request (RFC 9111, section 5.2.1), as far as it is heeded.

use actix_web::HttpRequest;
use actix_web::http::header::CACHE_CONTROL;

/// Whether the client wants what the database has now: `no-cache`, or `max-age=0`, which
/// means the same. All other directives are ignored, as they may be.
pub fn wants_reload(request: &HttpRequest) -> bool {
    let lines = request.headers().get_all(CACHE_CONTROL);
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(is_reload)
}

fn is_reload(directive: &str) -> bool {
    let (name, value) = match directive.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (directive.trim(), None),
    };
    match value {
        // It has no argument; one that is there is ignored (section 5.2).
        _ if name.eq_ignore_ascii_case("no-cache") => true,
        Some(age) if name.eq_ignore_ascii_case("max-age") => {
            let age = age.trim_matches('"');
            !age.is_empty() && age.bytes().all(|digit| digit == b'0')
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn reloads(lines: &[&str]) -> bool {
        let request = lines.iter().fold(TestRequest::default(), |request, line| {
            request.append_header((CACHE_CONTROL, *line))
        });
        wants_reload(&request.to_http_request())
    }

    #[test]
    fn no_cache_and_an_age_of_zero_reload() {
        for lines in [
            &["no-cache"][..],
            &["No-Cache"],
            &["max-age=0"],
            &["MAX-AGE = \"0\""],
            &["no-store,no-cache"],
            &["max-stale", " no-cache "],
            &["max-age=00, x=1"],
        ] {
            assert!(reloads(lines), "{lines:?}");
        }
    }

    #[test]
    fn other_directives_do_not_reload() {
        for lines in [
            &[][..],
            &["no-store"],
            &["max-age=1"],
            &["max-age"],
            &["max-age="],
            &["max-age=x"],
            &["min-fresh=0"],
            &["no-cached"],
            &["only-if-cached, max-stale=0"],
            &[""],
        ] {
            assert!(!reloads(lines), "{lines:?}");
        }
    }
}
