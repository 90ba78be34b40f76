//! Where traces go, and of how many requests.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::settings::{BadSetting, bad};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";

/// Where traces go, and of how many requests.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// Where the collector takes them; `None` makes no traces.
    pub endpoint: Option<Url>,
    /// What it is shown with them.
    pub headers: TraceHeaders,
    /// Of requests that come without a trace of their own: the part that is traced.
    pub sample_ratio: f64,
}

/// Names and values, which may be secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TraceHeaders(Vec<(String, String)>);

impl TraceHeaders {
    /// Each name with its value.
    pub fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }
}

impl fmt::Debug for TraceHeaders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TraceHeaders({})", self.0.len())
    }
}

/// # Errors
/// The first that is wrong, without its value.
pub(super) fn read(merged: &config::Config) -> Result<TraceSettings, BadSetting> {
    let text = |key: &str| {
        merged
            .get::<String>(&key.to_lowercase())
            .unwrap_or_default()
    };
    Ok(TraceSettings {
        endpoint: endpoint(text(ENDPOINT).trim()).map_err(|wanted| bad(ENDPOINT, wanted))?,
        headers: headers(&text(HEADERS)).ok_or_else(|| {
            bad(
                HEADERS,
                "must be NAME=VALUE, separated by commas, with values as in a URL",
            )
        })?,
        sample_ratio: ratio(merged)
            .filter(|ratio| (0.0..=1.0).contains(ratio))
            .ok_or_else(|| bad(RATIO, "must be a number from 0 to 1, such as 0.05"))?,
    })
}

/// The collector's URL for traces, which follows from that of all signals.
fn endpoint(text: &str) -> Result<Option<Url>, &'static str> {
    const WANTED: &str = "must be the http:// or https:// URL of an OpenTelemetry collector, such as http://localhost:4318";
    if text.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(text).map_err(|_| WANTED)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(WANTED);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must have no user and no password: OTEL_EXPORTER_OTLP_HEADERS has secrets");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end with its path: no query, no fragment");
    }
    let mut traces = url.clone();
    traces.set_path(&format!("{}/v1/traces", url.path().trim_end_matches('/')));
    Ok(Some(traces))
}

fn headers(text: &str) -> Option<TraceHeaders> {
    let parts = text.split(',').map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    let header = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let name = hyper::header::HeaderName::try_from(name.trim()).ok()?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        hyper::header::HeaderValue::try_from(&*value).ok()?;
        Some((name.as_str().to_owned(), value.into_owned()))
    };
    parts.map(header).collect::<Option<_>>().map(TraceHeaders)
}

/// A number, or a text that is one.
fn ratio(merged: &config::Config) -> Option<f64> {
    use config::ValueKind;
    match merged
        .get::<config::Value>(&RATIO.to_lowercase())
        .ok()?
        .kind
    {
        ValueKind::Float(ratio) => Some(ratio),
        ValueKind::I64(ratio) => Some(ratio as f64),
        ValueKind::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> String {
        endpoint(text).unwrap().unwrap().to_string()
    }

    #[test]
    fn the_path_of_traces_follows_the_base() {
        assert_eq!(endpoint(""), Ok(None));
        assert_eq!(path("http://a:4318"), "http://a:4318/v1/traces");
        assert_eq!(path("https://a/otlp/"), "https://a/otlp/v1/traces");
        assert_eq!(path("http://[::1]:4318/"), "http://[::1]:4318/v1/traces");
    }

    #[test]
    fn what_is_no_collector_is_refused() {
        for text in [
            "sesame",
            "localhost:4318",
            "grpc://a:4317",
            "http://",
            "http://me:sesame@a",
            "http://a?b=c",
            "http://a#b",
        ] {
            let wanted = endpoint(text).expect_err(text);
            assert!(!wanted.contains("sesame"), "{wanted}");
        }
    }

    #[test]
    fn headers_are_pairs_with_encoded_values() {
        let found = headers("Authorization=Bearer%20a%2Cb, x-scope=1=2,").unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(found, [("authorization", "Bearer a,b"), ("x-scope", "1=2")]);
        assert_eq!(headers(""), Some(TraceHeaders::default()));
        for text in ["sesame", "a b=c", "a=%0a", "=c"] {
            assert_eq!(headers(text), None, "{text}");
        }
    }
}
