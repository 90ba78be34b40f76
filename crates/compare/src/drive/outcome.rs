//! What an answer means.

use hyper::StatusCode;
use hyper::header::{ETAG, HeaderMap, HeaderName};

use super::connection::Reply;
use super::failure::Failure;
use crate::request::{Answer, Operation};
use crate::workload::record;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestOutcome {
    /// What is known of its effect.
    pub(super) answer: Answer,
    /// Why it failed, if it did.
    pub(super) failure: Option<Failure>,
    /// Where a read was answered from, if the answer says so.
    pub(super) source: Option<Source>,
}

/// Where a read was answered from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Hit,
    Miss,
    Bypass,
}

impl RequestOutcome {
    /// It never reached the service.
    pub(super) fn refused(failure: Failure) -> RequestOutcome {
        RequestOutcome {
            answer: Answer::Refused,
            failure: Some(failure),
            source: None,
        }
    }

    /// The outcome of a request that the service may have carried out, may still
    /// carry out, or never will.
    pub(super) fn unknown(failure: Failure) -> RequestOutcome {
        RequestOutcome {
            answer: Answer::Unknown,
            failure: Some(failure),
            source: None,
        }
    }

    /// What an answer to this operation means.
    pub(super) fn of(operation: Operation, reply: &Reply) -> RequestOutcome {
        let version = version(&reply.headers);
        let answer = match (operation, reply.status) {
            (Operation::Write, StatusCode::OK) | (Operation::Delete, StatusCode::NO_CONTENT) => {
                version.map(|version| Answer::Acknowledged { version })
            }
            (Operation::Delete, StatusCode::NOT_FOUND) => Some(Answer::NothingToDelete),
            (Operation::Read, StatusCode::OK) => version.map(|version| Answer::Found {
                version,
                writer: record::writer_of(&reply.body),
            }),
            (Operation::Read, StatusCode::NOT_FOUND) => Some(Answer::NotFound),
            (_, status) if status.is_client_error() => {
                return RequestOutcome::refused(Failure::Status(status));
            }
            (_, status) => return RequestOutcome::unknown(Failure::Status(status)),
        };
        match answer {
            Some(answer) => RequestOutcome {
                answer,
                failure: None,
                source: match operation {
                    Operation::Read => source(&reply.headers),
                    Operation::Write | Operation::Delete => None,
                },
            },
            None => RequestOutcome::unknown(Failure::NoVersion),
        }
    }
}

/// The version that an entity tag is made of.
fn version(headers: &HeaderMap) -> Option<u64> {
    let tag = headers.get(ETAG)?.to_str().ok()?;
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// As RFC 9211 has it: `name; hit`, `name; fwd=miss; stored`, `name; fwd=bypass; …`.
fn source(headers: &HeaderMap) -> Option<Source> {
    let status = headers.get(CACHE_STATUS)?.to_str().ok()?;
    status
        .split(';')
        .skip(1)
        .find_map(|parameter| match parameter.trim().split_once('=') {
            None if parameter.trim() == "hit" => Some(Source::Hit),
            Some(("fwd", "miss")) => Some(Source::Miss),
            Some(("fwd", _)) => Some(Source::Bypass),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::header::HeaderValue;

    use super::*;

    fn reply(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers
                .iter()
                .map(|(name, value)| {
                    (
                        HeaderName::from_static(name),
                        HeaderValue::from_static(value),
                    )
                })
                .collect(),
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    fn answer(operation: Operation, status: u16) -> Answer {
        RequestOutcome::of(operation, &reply(status, &[("etag", "\"5\"")], "")).answer
    }

    #[test]
    fn each_operation_has_its_own_successes() {
        use Operation::{Delete, Read, Write};
        let acknowledged = Answer::Acknowledged { version: 5 };
        let found = Answer::Found {
            version: 5,
            writer: None,
        };
        let cases = [
            (Write, 200, acknowledged),
            (Write, 204, Answer::Unknown),
            (Write, 404, Answer::Refused),
            (Delete, 204, acknowledged),
            (Delete, 404, Answer::NothingToDelete),
            (Delete, 200, Answer::Unknown),
            (Read, 200, found),
            (Read, 404, Answer::NotFound),
            (Read, 302, Answer::Unknown),
        ];
        for (operation, status, expected) in cases {
            assert_eq!(
                answer(operation, status),
                expected,
                "{operation:?} {status}"
            );
        }
        for operation in Operation::ALL {
            for status in [400, 408, 412, 429] {
                assert_eq!(answer(operation, status), Answer::Refused, "{status}");
            }
            for status in [500, 502, 503, 504] {
                assert_eq!(answer(operation, status), Answer::Unknown, "{status}");
            }
        }
    }

    #[test]
    fn a_read_says_who_wrote_the_record() {
        let body = r#"{"name":"cmp-1","age":1,"occupation":"w17---"}"#;
        let found = RequestOutcome::of(Operation::Read, &reply(200, &[("etag", "\"9\"")], body));
        assert_eq!(
            found.answer,
            Answer::Found {
                version: 9,
                writer: Some(17)
            }
        );
        assert_eq!(found.failure, None);
    }

    #[test]
    fn success_without_a_version_is_none() {
        for headers in [[].as_slice(), &[("etag", "5")], &[("etag", "\"five\"")]] {
            let found = RequestOutcome::of(Operation::Write, &reply(200, headers, ""));
            assert_eq!(found, RequestOutcome::unknown(Failure::NoVersion));
        }
    }

    #[test]
    fn what_the_cache_says_of_a_read_is_understood() {
        let cases = [
            ("write-through; hit", Some(Source::Hit)),
            ("write-behind; fwd=miss; stored", Some(Source::Miss)),
            ("write-behind; fwd=miss", Some(Source::Miss)),
            (
                "write-through; fwd=bypass; detail=in-doubt",
                Some(Source::Bypass),
            ),
            ("hit", None),
            ("write-through", None),
        ];
        for (header, expected) in cases {
            let headers = [("etag", "\"1\""), ("cache-status", header)];
            let found = RequestOutcome::of(Operation::Read, &reply(200, &headers, ""));
            assert_eq!(found.source, expected, "{header}");
            let absent = RequestOutcome::of(Operation::Read, &reply(404, &headers, ""));
            assert_eq!(absent.source, expected, "{header}");
        }
    }
}
