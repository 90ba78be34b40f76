//! A small HTTP client that hides nothing: a path is sent as it is given, a status is never an error,
//! and no redirect is followed.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

/// How long one request may take, answer included.
pub const REQUEST_SECONDS_MAX: u64 = 120;

/// How large an answer may be.
pub const BODY_BYTES_MAX: u64 = 1 << 30;

/// A client of one server. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    base_url: String,
    agent: Agent,
}

impl Client {
    /// A client of the server at `http://host:port`.
    pub fn new(base_url: &str) -> Self {
        Self::with_timeout(base_url, Duration::from_secs(REQUEST_SECONDS_MAX))
    }

    /// The same, where one request may take `wait_timeout`, answer included.
    pub fn with_timeout(base_url: &str, wait_timeout: Duration) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .allow_non_standard_methods(true)
            .proxy(None)
            // Shorter than the server keeps one open, so that none is reused while it closes.
            .max_idle_age(Duration::from_secs(1))
            .max_idle_connections_per_host(64)
            .timeout_global(Some(wait_timeout))
            .build()
            .new_agent();
        Client {
            base_url: base_url.trim_end_matches('/').to_owned(),
            agent,
        }
    }

    /// Sends a request and reads the whole answer. `path` begins with `/`, may have a query, and keeps
    /// its percent-encoding. POST, PUT and PATCH without a body are sent with an empty one.
    ///
    /// # Panics
    ///
    /// When no answer comes.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Response {
        self.try_request(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// The same, for a server that may be gone.
    ///
    /// # Errors
    ///
    /// When no whole answer comes. Whether the server has done what was asked is then unknown.
    pub fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Response, ureq::Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base_url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match (body, method) {
            (None, "POST" | "PUT" | "PATCH") => Some([].as_slice()),
            (body, _) => body,
        };
        let mut answer = match body {
            Some(body) => self.agent.run(request.body(body)?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let body = answer
            .body_mut()
            .with_config()
            .limit(BODY_BYTES_MAX)
            .read_to_vec()?;
        Ok(Response {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body,
        })
    }

    /// GET.
    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], None)
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Response {
        self.request("DELETE", path, &[], None)
    }

    /// POST of a JSON value.
    pub fn post_json(&self, path: &str, body: &Value) -> Response {
        self.request("POST", path, JSON, Some(body.to_string().as_bytes()))
    }

    /// PUT of a JSON value.
    pub fn put_json(&self, path: &str, body: &Value) -> Response {
        self.request("PUT", path, JSON, Some(body.to_string().as_bytes()))
    }
}

const JSON: &[(&str, &str)] = &[("Content-Type", "application/json")];

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header field, whichever case its name is written in.
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?;
        Some(value.to_str().expect("a header field in ASCII"))
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// When it is not UTF-8.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// With the body, when it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            let body = String::from_utf8_lossy(&self.body);
            panic!("status {}, not JSON ({error}): {body}", self.status)
        })
    }
}

/// `/users/{name}` with all of the name but ASCII letters and digits percent-encoded.
pub fn user_path(name: &str) -> String {
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    format!("/users/{name}")
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers one request with `answer`, and returns the head that came.
    fn answer_once(answer: &'static [u8]) -> (String, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            for line in BufReader::new(&stream).lines() {
                let line = line.unwrap();
                if line.is_empty() {
                    break;
                }
                head.push(line);
            }
            stream.write_all(answer).unwrap();
            head
        });
        (base_url, server)
    }

    #[test]
    fn a_path_is_sent_as_it_is_given() {
        for path in [
            "/users/a%2Fb",
            "/users/%2E%2E",
            "/users/../x",
            "/users/%f0%9F%98%80?after=%00&limit=1",
            "//a//",
        ] {
            let (base_url, server) = answer_once(b"HTTP/1.1 204 No Content\r\n\r\n");
            assert_eq!(Client::new(&base_url).get(path).status, 204);
            let head = server.join().unwrap();
            assert_eq!(head[0], format!("GET {path} HTTP/1.1"));
        }
    }

    #[test]
    fn a_status_is_no_error_a_redirect_is_not_followed_and_a_headers_case_is_ignored() {
        let (base_url, server) = answer_once(
            b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nETag: \"7\"\r\nContent-Length: 2\r\n\r\n{}",
        );
        let response = Client::new(&base_url).get("/");
        assert_eq!(response.status, 302);
        assert_eq!(response.header("etag"), Some("\"7\""));
        assert_eq!(response.header("ETag"), Some("\"7\""));
        assert_eq!(response.header("absent"), None);
        assert_eq!(response.json(), serde_json::json!({}));
        server.join().unwrap();

        let (base_url, server) = answer_once(
            b"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        );
        let response = Client::new(&base_url).request("POST", "/", &[("If-Match", "*")], None);
        assert_eq!((response.status, response.text()), (503, "no"));
        let head = server.join().unwrap();
        assert!(head.contains(&"content-length: 0".to_owned()), "{head:?}");
        assert!(head.contains(&"if-match: *".to_owned()), "{head:?}");
    }

    #[test]
    fn a_user_path_has_no_character_that_could_be_taken_for_anything_else() {
        assert_eq!(user_path("Jo 1"), "/users/Jo%201");
        assert_eq!(user_path("../é"), "/users/%2E%2E%2F%C3%A9");
    }
}
