//! The calls of a service, and what of an answer the checks look at.

use serde_json::{Value, json};
use testkit::http::{Client, Response, user_path};
use testkit::parts::RunningService;
use testkit::service::Service;
use testkit::wire;

/// A service that is being asked.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) service: Service,
    pub(crate) base_url: String,
    client: Client,
}

impl Api {
    pub(crate) fn of(running: &RunningService) -> Self {
        Api::at(running.service(), running.base_url())
    }

    pub(crate) fn at(service: Service, base_url: &str) -> Self {
        Api {
            service,
            base_url: base_url.to_owned(),
            client: Client::new(base_url),
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// `POST /write-through` or `POST /write-behind`.
    pub(crate) fn write(&self, record: &Value) -> Response {
        self.client.post_json(self.service.write_path(), record)
    }

    /// Writes and expects that it is acknowledged; returns the version.
    #[track_caller]
    pub(crate) fn must_write(&self, record: &Value) -> u64 {
        let answer = self.write(record);
        assert_eq!(answer.status, 200, "{record}: {}", shown(&answer));
        version(&answer)
    }

    /// `POST /read-through` or `POST /read-behind`.
    pub(crate) fn read(&self, name: &str) -> Response {
        let body = json!({ "name": name });
        self.client.post_json(self.service.read_path(), &body)
    }

    pub(crate) fn get(&self, name: &str) -> Response {
        self.client.get(&user_path(name))
    }

    /// Reads and expects the record.
    #[track_caller]
    pub(crate) fn must_get(&self, name: &str) -> Value {
        let answer = self.get(name);
        assert_eq!(answer.status, 200, "{name:?}: {}", shown(&answer));
        answer.json()
    }

    pub(crate) fn put(&self, name: &str, record: &Value) -> Response {
        self.client.put_json(&user_path(name), record)
    }

    pub(crate) fn delete(&self, name: &str) -> Response {
        self.client.delete(&user_path(name))
    }

    /// A request that is sent as it is given, on a connection of its own.
    pub(crate) fn wire(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Response {
        let request = wire::request(method, target.as_bytes(), headers, body);
        wire::send(&self.base_url, &request)
    }

    /// Returns when the database has all that was acknowledged.
    #[track_caller]
    pub(crate) fn settle(&self) {
        if self.service == Service::WriteBehind {
            let answer = self
                .client
                .request("POST", "/flush?timeout_s=30", &[], None);
            assert_eq!(answer.status, 200, "{}", shown(&answer));
        }
    }

    /// All live records as the database has them, page by page.
    #[track_caller]
    pub(crate) fn all_users(&self, limit: usize) -> Vec<Value> {
        let mut users = Vec::new();
        let mut path = format!("/users?limit={limit}");
        let mut after = String::new();
        loop {
            let page = self.client.get(&path);
            assert_eq!(page.status, 200, "{}", shown(&page));
            let page = page.json();
            users.extend(page["users"].as_array().unwrap().iter().cloned());
            let Value::String(next) = &page["next"] else {
                assert_eq!(page["next"], Value::Null);
                return users;
            };
            // Or this would not end.
            assert!(*next > after, "{next:?} after {after:?}");
            after.clone_from(next);
            path = format!("/users?limit={limit}&after={}", encoded(&after));
        }
    }

    #[track_caller]
    pub(crate) fn assert_healthy(&self) {
        assert_eq!(self.client.get("/healthz").status, 200);
    }
}

/// A valid record.
pub(crate) fn record(name: &str, age: u8, occupation: &str) -> Value {
    json!({ "name": name, "age": age, "occupation": occupation })
}

/// All but ASCII letters and digits percent-encoded.
pub(crate) fn encoded(text: &str) -> String {
    user_path(text)["/users/".len()..].to_owned()
}

/// The version in a strong entity tag.
#[track_caller]
pub(crate) fn version(answer: &Response) -> u64 {
    let etag = answer.header("ETag").expect("an ETag");
    let opaque = etag
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let opaque = opaque.unwrap_or_else(|| panic!("not a strong entity tag: {etag}"));
    opaque
        .parse()
        .unwrap_or_else(|_| panic!("no version: {etag}"))
}

/// An answer in a message.
pub(crate) fn shown(answer: &Response) -> String {
    let body = String::from_utf8_lossy(&answer.body);
    let start: String = body.chars().take(600).collect();
    format!("{} {start}", answer.status)
}

/// How a read was answered, by `Cache-Status` (RFC 9211).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CacheStatus {
    Hit,
    Miss { stored: bool },
    Requested { stored: bool },
    Bypass,
}

/// The only member of the list, its parameters checked.
#[track_caller]
pub(crate) fn cache_status(answer: &Response) -> CacheStatus {
    let field = answer.header("Cache-Status").expect("a Cache-Status");
    let mut items = field.split("; ");
    let cache = items.next().unwrap();
    assert!(is_token(cache), "{field}");
    let (mut hit, mut stored, mut forwarded) = (false, false, None);
    for parameter in items {
        match parameter.split_once('=') {
            None if parameter == "hit" => hit = true,
            None if parameter == "stored" => stored = true,
            Some(("fwd", reason)) => forwarded = Some(reason),
            Some(("detail", detail)) => assert!(is_token(detail), "{field}"),
            _ => panic!("an unknown parameter: {field}"),
        }
    }
    match (hit, forwarded) {
        (true, None) if !stored => CacheStatus::Hit,
        (false, Some("miss" | "uri-miss")) => CacheStatus::Miss { stored },
        (false, Some("request")) => CacheStatus::Requested { stored },
        (false, Some("bypass")) if !stored => CacheStatus::Bypass,
        _ => panic!("neither a hit nor a miss nor a bypass: {field}"),
    }
}

/// `sf-token` of RFC 9651.
fn is_token(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '*')
        && text.bytes().all(inside)
}
