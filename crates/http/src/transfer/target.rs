//! Where rows are written: the engine of this process, or a service that runs.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cache_core::engine::Engine;
use cache_core::model::record::Key;
use cache_core::model::user::write_json;
use cache_core::outage::Outages;
use cache_core::tls::public::trusted;
use tokio_rustls::rustls::{self, crypto::ring};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::answer::Answer;
use crate::bulk::{Change, Chunk};
use crate::durability::RequestedDurability;
use crate::json::written;
use crate::ndjson::MEDIA_TYPE;

/// How long the database may take for the rows that are written together.
const PERSISTED_WITHIN: Duration = Duration::from_secs(60);
/// How long a service may take to answer them.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);
/// Most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// After how many seconds a service that does not answer is asked again.
const RETRY_S: u64 = 1;

/// See the module.
pub(crate) enum Target {
    /// The engine of this process.
    Engine(Arc<dyn Engine>, Outages),
    /// The service at this URL, and the header with the token for it.
    Service(Agent, String, Option<String>),
}

/// Rows that were not answered one by one.
pub(super) enum Failed {
    /// They may be repeated after so many seconds.
    Passing(String, u64),
    /// There is no use in it.
    ForGood(String),
}

impl Target {
    /// The service at `url`, such as `http://localhost:8081`, the token to send to it, and a file of
    /// the CAs to trust in place of the system's.
    ///
    /// # Errors
    /// When the URL begins with `https:` and there are no CA certificates.
    pub(crate) fn service(
        url: &str,
        token: Option<&str>,
        ca_file: Option<&Path>,
    ) -> Result<Target, String> {
        let mut agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(ANSWER_TIMEOUT))
            // A service never redirects. Another server would get the token.
            .max_redirects(0);
        if is_https(url) {
            agent = agent.tls_config(trusting(ca_file)?);
        } else if ca_file.is_some() {
            return Err("--ca-file: only with --to https://…".to_owned());
        }
        let agent = agent.build();
        let url = format!("{}/users/batch", url.trim_end_matches('/'));
        let authorization = token.map(|token| format!("Bearer {token}"));
        Ok(Target::Service(agent.into(), url, authorization))
    }

    /// Writes rows of different names. Each answer is of a row, and with its text; a row without one
    /// may be repeated.
    pub(super) async fn write(
        &self,
        rows: &[(u64, Change)],
        waits: bool,
    ) -> Result<Vec<(Answer, Vec<u8>)>, Failed> {
        match self {
            Target::Engine(engine, outages) => {
                let mut chunk = Chunk::default();
                for (line, change) in rows {
                    match change.clone() {
                        Change::Put(key, body) => chunk.put(*line, key, body),
                        Change::Delete(key) => chunk.delete(*line, key),
                    }
                }
                let wanted = RequestedDurability::within(waits.then_some(PERSISTED_WITHIN));
                let answers = chunk.write(&**engine, outages, wanted).await;
                Ok(read_answers(&answers, Some))
            }
            Target::Service(agent, url, authorization) => {
                let body = lines_of(rows).map_err(Failed::ForGood)?;
                let (agent, mut url) = (agent.clone(), url.clone());
                if waits {
                    let timeout_s = PERSISTED_WITHIN.as_secs();
                    url += &format!("?durability=persisted&timeout_s={timeout_s}");
                }
                let authorization = authorization.clone();
                let sent = move || send(&agent, &url, authorization.as_deref(), &body);
                let sent = tokio::task::spawn_blocking(sent).await;
                let answers =
                    sent.unwrap_or_else(|error| Err(Failed::ForGood(error.to_string())))?;
                // The service counts the lines of this call.
                let line_of = |line: u64| {
                    let place = usize::try_from(line).ok()?.checked_sub(1)?;
                    rows.get(place).map(|(line, _)| *line)
                };
                Ok(read_answers(&answers, line_of))
            }
        }
    }
}

fn is_https(url: &str) -> bool {
    let scheme = url.split(':').next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

fn trusting(ca_file: Option<&Path>) -> Result<TlsConfig, String> {
    let trusted = trusted(ca_file)?;
    let trusted = trusted
        .iter()
        .map(|ca| Certificate::from_der(ca).to_owned());
    // The client takes the process's provider. It is not an error that there is one already.
    let _ = ring::default_provider().install_default();
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::from(trusted))
        .build())
}

fn read_answers(text: &[u8], line_of: impl Fn(u64) -> Option<u64>) -> Vec<(Answer, Vec<u8>)> {
    let lines = text.split(|byte| *byte == b'\n');
    let answers = lines.filter_map(|text| {
        let mut answer = Answer::read(text)?;
        let line = line_of(answer.line)?;
        let text = renumbered(text, answer.line, line);
        answer.line = line;
        Some((answer, text))
    });
    answers.collect()
}

/// The answer to `line` as one to another line of the same text.
fn renumbered(text: &[u8], line: u64, by: u64) -> Vec<u8> {
    match text.strip_prefix(format!(r#"{{"line":{line}"#).as_bytes()) {
        Some(rest) if line != by => [format!(r#"{{"line":{by}"#).as_bytes(), rest].concat(),
        _ => text.to_vec(),
    }
}

fn lines_of(rows: &[(u64, Change)]) -> Result<Vec<u8>, String> {
    let mut lines = Vec::new();
    for (_, change) in rows {
        match change {
            Change::Put(key, body) => write_json(key.as_str(), body, &mut lines)
                .map_err(|error| format!("a user cannot be written as JSON: {error}"))?,
            Change::Delete(key) => lines.append(&mut deletion(key)),
        }
        lines.push(b'\n');
    }
    Ok(lines)
}

fn deletion(key: &Key) -> Vec<u8> {
    let name = written(&key.as_str());
    [br#"{"delete":"#, name.trim_ascii_end(), b"}"].concat()
}

/// Whether a handshake failed since the certificate is not trusted.
fn is_of_certificate(error: &io::Error) -> bool {
    let cause = error.get_ref();
    let cause = cause.and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}

/// Sends lines, and returns the lines of the answer.
fn send(
    agent: &Agent,
    url: &str,
    authorization: Option<&str>,
    body: &[u8],
) -> Result<Vec<u8>, Failed> {
    let passing = |reason: String| Failed::Passing(reason, RETRY_S);
    let request = agent.post(url).content_type(MEDIA_TYPE);
    let request = match authorization {
        Some(authorization) => request.header("Authorization", authorization),
        None => request,
    };
    let sent = request.send(body);
    let answer = sent.map_err(|error| match error {
        ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) => {
            Failed::ForGood(format!("{url}: {error}"))
        }
        // What a handshake says of a certificate.
        ureq::Error::Io(error) if is_of_certificate(&error) => {
            Failed::ForGood(format!("{url}: {error} (--ca-file names the CAs to trust)"))
        }
        error => passing(format!("{url}: {error}")),
    })?;
    let status = answer.status().as_u16();
    let header = answer.headers().get("retry-after");
    let retry_after_s = header.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
    let mut text = Vec::new();
    let mut reader = answer.into_body().into_reader().take(ANSWER_BYTES_MAX);
    let read = reader.read_to_end(&mut text);
    match status {
        // Of an answer that was cut off, what has come counts.
        200 => Ok(text),
        status => {
            let said = Answer::read_problem(&text);
            let reason = format!("{url}: {status}: {said}");
            read.map_err(|error| passing(format!("{url}: {error}")))?;
            match status {
                408 | 429 | 503 => Err(Failed::Passing(reason, retry_after_s.unwrap_or(RETRY_S))),
                _ => Err(Failed::ForGood(reason)),
            }
        }
    }
}
