//! The HTTP request for a request of the workload.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Uri};

use super::target::Target;
use crate::error::{Error, Result};
use crate::request::{Operation, Request};
use crate::workload::record;

/// What hyper sends.
pub(super) type Message = hyper::Request<Full<Bytes>>;

/// Makes them; what all of one kind share is made once, since the driver takes its processor
/// time from what it measures.
#[derive(Debug)]
pub(super) struct Messages {
    prefix: String,
    value_chars: usize,
    write_uri: Uri,
    /// What a name is added to.
    users_path: String,
    write_headers: HeaderMap,
    other_headers: HeaderMap,
}

impl Messages {
    pub(super) fn new(target: &Target, value_chars: usize) -> Result<Messages> {
        let write_path = target.pattern.write_path();
        let mut other_headers = HeaderMap::new();
        other_headers.insert(HOST, target.host.clone());
        let mut write_headers = other_headers.clone();
        write_headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Messages {
            prefix: target.prefix.clone(),
            value_chars,
            write_uri: Uri::try_from(write_path)
                .map_err(|error| Error::Usage(format!("{write_path}: {error}")))?,
            users_path: format!("/users/{}-", target.prefix),
            write_headers,
            other_headers,
        })
    }

    /// `POST` of a record to the pattern's own path; `GET` and `DELETE` on `/users/{name}`.
    pub(super) fn of(&self, request: Request) -> Message {
        let (method, uri, headers, body) = match request.operation {
            Operation::Write => {
                let body = record::body(&self.prefix, request, self.value_chars);
                (
                    Method::POST,
                    self.write_uri.clone(),
                    &self.write_headers,
                    body,
                )
            }
            Operation::Read => (
                Method::GET,
                self.user_uri(request.name),
                &self.other_headers,
                Bytes::new(),
            ),
            Operation::Delete => (
                Method::DELETE,
                self.user_uri(request.name),
                &self.other_headers,
                Bytes::new(),
            ),
        };
        let mut message = Message::new(Full::new(body));
        *message.method_mut() = method;
        *message.uri_mut() = uri;
        *message.headers_mut() = headers.clone();
        message
    }

    fn user_uri(&self, name: u32) -> Uri {
        // The same with another name was understood before (`write_uri`), and digits change
        // nothing in that.
        Uri::from_maybe_shared(Bytes::from(format!("{}{name}", self.users_path)))
            .unwrap_or_default()
    }
}
