//! CORS: pages of other sites.

use testkit::http::Response;
use testkit::service::{Service, ServiceProcess};

const PAGE: &str = "https://app.example";

fn ask(process: &ServiceProcess, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    process.client().request(method, path, headers, None)
}

#[test]
fn a_listed_page_may_call_and_read_and_others_may_not() {
    let process = ServiceProcess::start(Service::WriteBehind, &[("CORS_ORIGINS", PAGE)]);
    let preflight = |origin| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "PUT"),
            ("Access-Control-Request-Headers", "authorization, if-match"),
        ];
        ask(&process, "OPTIONS", "/users/a", &headers)
    };
    let asked = preflight(PAGE);
    assert_eq!(asked.status, 204);
    assert_eq!(asked.header("Access-Control-Allow-Origin"), Some(PAGE));
    let methods = asked.header("Access-Control-Allow-Methods").unwrap();
    assert!(methods.contains("PUT"), "{methods}");
    let allowed = asked.header("Access-Control-Allow-Headers").unwrap();
    assert!(allowed.contains("Authorization") && allowed.contains("If-Match"));
    assert!(asked.header("Access-Control-Max-Age").is_some());
    assert!(asked.header("Access-Control-Allow-Credentials").is_none());

    let headers = [("Origin", PAGE), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(ask(&process, "DELETE", "/users/a", &headers).status, 404);
    let read = ask(&process, "GET", "/users/a", &headers);
    assert_eq!(read.header("Access-Control-Allow-Origin"), Some(PAGE));
    let exposed = read.header("Access-Control-Expose-Headers").unwrap();
    for name in ["ETag", "Durability", "Cache-Status", "Retry-After"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    let varies = |answer: &Response| {
        let vary = answer.headers.get_all("Vary").iter();
        vary.filter(|value| *value == "Origin").count() == 1
    };
    assert!(varies(&asked) && varies(&read));
    assert!(varies(&ask(&process, "GET", "/users", &[])));

    for origin in [
        "https://evil.example",
        "https://app.example:1",
        "http://app.example",
        "null",
    ] {
        let refused = preflight(origin);
        assert!(matches!(refused.status, 403 | 421), "{origin}");
        assert!(refused.header("Access-Control-Allow-Origin").is_none());
        assert!(varies(&refused));
        let refused = ask(&process, "DELETE", "/users/a", &[("Origin", origin)]);
        assert_eq!(refused.status, 403, "{origin}");
    }
}

#[test]
fn without_the_setting_answers_say_nothing_of_origins() {
    let env = [("ALLOWED_ORIGINS", PAGE)];
    let process = ServiceProcess::start(Service::WriteBehind, &env);
    let answer = ask(&process, "GET", "/users/a", &[("Origin", PAGE)]);
    assert_eq!(answer.status, 404);
    for name in ["Access-Control-Allow-Origin", "Vary"] {
        assert!(answer.header(name).is_none(), "{name}");
    }
}
