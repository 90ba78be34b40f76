//! A collector that takes OTLP over HTTP, and keeps what it is sent.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
use prost::Message as _;
use testkit::certificates::CertificateFiles;
use testkit::wait::wait_until;

use crate::secure::Tls;

/// How the collector answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Takes,
    /// Answers 500.
    Fails,
    /// Never answers.
    Hangs,
}

#[derive(Debug)]
pub(crate) struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    mood: Mutex<Mood>,
    is_closed: AtomicBool,
    received: Mutex<Vec<Received>>,
}

/// One export.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) exported: ExportTraceServiceRequest,
    pub(crate) mood: Mood,
}

impl Collector {
    pub(crate) fn start(mood: Mood) -> Collector {
        Collector::start_at("127.0.0.1:0".parse().unwrap(), mood)
    }

    pub(crate) fn start_at(address: SocketAddr, mood: Mood) -> Collector {
        Collector::start_with(address, mood, None)
    }

    /// One that speaks TLS.
    pub(crate) fn start_secure(certificate: &CertificateFiles) -> Collector {
        let address = "127.0.0.1:0".parse().unwrap();
        Collector::start_with(address, Mood::Takes, Some(Tls::new(certificate)))
    }

    fn start_with(address: SocketAddr, mood: Mood, tls: Option<Tls>) -> Collector {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            mood: Mutex::new(mood),
            is_closed: AtomicBool::new(false),
            received: Mutex::default(),
        });
        let of_thread = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.is_closed.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, stream) = (of_thread.clone(), stream.unwrap());
                match &tls {
                    Some(tls) => {
                        let stream = tls.accept(stream);
                        thread::spawn(move || shared.answer(stream));
                    }
                    None => {
                        thread::spawn(move || shared.answer(stream));
                    }
                }
            }
        });
        Collector { address, shared }
    }

    /// An address where nothing listens.
    pub(crate) fn nowhere() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// What it has taken.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let received = self.received().into_iter();
        received
            .filter(|received| received.mood == Mood::Takes)
            .flat_map(|received| received.exported.resource_spans)
            .flat_map(|of_resource| of_resource.scope_spans)
            .flat_map(|of_scope| of_scope.spans)
            .collect()
    }

    /// The spans of a trace.
    pub(crate) fn trace(&self, trace_id: &str) -> Vec<Span> {
        let mut spans = self.spans();
        spans.retain(|span| hex(&span.trace_id) == trace_id);
        spans
    }

    /// The spans of a trace, once it has one of each name.
    #[track_caller]
    pub(crate) fn wait_for(&self, trace_id: &str, names: &[&str]) -> Vec<Span> {
        wait_until(&format!("{names:?} in {trace_id}"), || {
            let spans = self.trace(trace_id);
            let has = |name: &&str| spans.iter().any(|span| span.name == **name);
            names.iter().all(has)
        });
        self.trace(trace_id)
    }
}

impl Drop for Collector {
    /// Nothing listens there any more.
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        wait_until("the collector is closed", || {
            TcpStream::connect(self.address).is_err()
        });
    }
}

impl Shared {
    fn answer(&self, mut stream: impl Read + Write) {
        let Some((path, headers, bytes)) = read_request(&mut stream) else {
            return;
        };
        let mood = *self.mood.lock().unwrap();
        let exported = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
        self.received.lock().unwrap().push(Received {
            path,
            headers,
            bytes,
            exported,
            mood,
        });
        let status = match mood {
            Mood::Takes => "200 OK",
            Mood::Fails => "500 Internal Server Error",
            Mood::Hangs => {
                // Until the client gives up.
                let _ = stream.read(&mut [0]);
                return;
            }
        };
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"
        );
        let _ = stream.flush();
    }
}

type Request = (String, Vec<(String, String)>, Vec<u8>);

/// `None` where the client goes away.
fn read_request(stream: impl Read) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(": ") {
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length?.1.parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    Some((path, headers, body))
}

pub(crate) fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The attribute as text.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(is) => is.to_string(),
        other => panic!("{key}: {other:?}"),
    })
}

pub(crate) fn is_error(span: &Span) -> bool {
    let status = span.status.as_ref();
    status.is_some_and(|status| status.code() == StatusCode::Error)
}
