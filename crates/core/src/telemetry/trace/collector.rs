//! Sends to the collector what is exported, over HTTP.

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use url::{Host, Url};

use crate::timing;
use crate::tls::public::PublicTls;

use super::outage::Outage;

/// Most bytes of an answer, which says little.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// The collector. Each export has a connection of its own: there are few, and each has many spans.
#[derive(Debug)]
pub(super) struct Collector {
    at: Place,
    runtime: Handle,
    outage: Outage,
}

#[derive(Clone, Debug)]
struct Place {
    host: String,
    port: u16,
    /// As the header `Host` has it.
    authority: HeaderValue,
    tls: Option<PublicTls>,
}

impl Collector {
    /// What it sends is sent on `runtime`.
    ///
    /// # Errors
    /// Why nothing can be sent there.
    pub(super) fn new(url: &Url, runtime: Handle) -> Result<Collector, String> {
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return Err("has no host".to_owned()),
        };
        let tls = match url.scheme() {
            "https" => Some(PublicTls::new(&host)?),
            _ => None,
        };
        let at = Place {
            host,
            port: url.port_or_known_default().unwrap_or_default(),
            authority: HeaderValue::try_from(url.authority()).map_err(|error| error.to_string())?,
            tls,
        };
        Ok(Collector {
            at,
            runtime,
            outage: Outage::default(),
        })
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let at = self.at.clone();
        // The thread that asks for it has no runtime.
        let sent = self.runtime.spawn(async move {
            match tokio::time::timeout(timing::TRACE_EXPORT_TIMEOUT, at.send(request)).await {
                Ok(sent) => sent.map_err(|error| error.to_string()),
                Err(_) => Err(format!(
                    "no answer within {} s",
                    timing::TRACE_EXPORT_TIMEOUT.as_secs()
                )),
            }
        });
        let sent = sent.await.map_err(|error| error.to_string());
        let sent = sent.and_then(|sent| sent);
        match &sent {
            Ok(answer) if answer.status().is_success() => self.outage.note(Ok(())),
            Ok(answer) => self
                .outage
                .note(Err(&format!("it answers {}", answer.status()))),
            Err(reason) => self.outage.note(Err(reason)),
        };
        Ok(sent?)
    }
}

impl Place {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        match &self.tls {
            Some(tls) => self.exchange(tls.connect(stream).await?, request).await,
            None => self.exchange(stream, request).await,
        }
    }

    async fn exchange<S>(
        &self,
        stream: S,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, HttpError>
    where
        S: Send + Unpin + 'static,
        TokioIo<S>: Read + Write,
    {
        let (mut parts, body) = request.into_parts();
        // In a request to a server itself there is no more than the path.
        let path = parts.uri.path_and_query().cloned();
        parts.uri = path.map_or_else(Default::default, Into::into);
        parts.headers.insert(HOST, self.authority.clone());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        // Ended with this, also where it is cut off.
        let _connection = tokio_util::task::AbortOnDropHandle::new(connection);
        let request = Request::from_parts(parts, Full::new(body));
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }
}
