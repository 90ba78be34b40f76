//! The Prometheus text format, read strictly.

use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;

/// What `/metrics` has answered.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    helps: BTreeSet<String>,
    kinds: BTreeMap<String, String>,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    name: String,
    labels: Labels,
    value: f64,
}

impl Metrics {
    /// Reads the text.
    ///
    /// # Panics
    ///
    /// With the line that is not well-formed, or the metric that has no type, no help, or two samples with
    /// the same labels.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let mut metrics = Metrics::default();
        assert!(text.ends_with('\n'), "the last line has no end");
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect(line);
                assert!(is_name(name) && !help.is_empty(), "{line}");
                assert!(metrics.helps.insert(name.to_owned()), "twice: {line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect(line);
                assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
                let before = metrics.kinds.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "twice: {line}");
            } else {
                assert!(!line.starts_with('#'), "{line}");
                metrics.samples.push(parse_sample(line));
            }
        }
        metrics.check_families();
        metrics
    }

    /// The sum of the samples that have all of these labels; 0 when there is none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &Sample| {
            let mut wanted = labels.iter();
            sample.name == name
                && wanted.all(|(key, value)| sample.labels.get(*key).is_some_and(|is| is == value))
        };
        let matching = self.samples.iter().filter(|sample| has(sample));
        matching.map(|sample| sample.value).sum()
    }

    pub(crate) fn kind(&self, name: &str) -> Option<&str> {
        self.kinds.get(name).map(String::as_str)
    }

    /// Every metric with its type.
    pub(crate) fn kinds(&self) -> &BTreeMap<String, String> {
        &self.kinds
    }

    /// The labels that the samples of a metric have.
    pub(crate) fn labels(&self, metric: &str) -> BTreeSet<&str> {
        let samples = self.samples.iter();
        let samples = samples.filter(|sample| self.family(sample) == metric);
        samples
            .flat_map(|sample| sample.labels.keys().map(String::as_str))
            .collect()
    }

    /// The values that a label has in the samples of a metric.
    pub(crate) fn label_values(&self, name: &str, label: &str) -> BTreeSet<&str> {
        let samples = self.samples.iter().filter(|sample| sample.name == name);
        samples
            .filter_map(|sample| sample.labels.get(label).map(String::as_str))
            .collect()
    }

    /// The name by which the sample's metric is declared.
    fn family<'a>(&self, sample: &'a Sample) -> &'a str {
        ["_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|suffix| sample.name.strip_suffix(suffix))
            .find(|family| self.kind(family) == Some("histogram"))
            .unwrap_or(&sample.name)
    }

    fn check_families(&self) {
        let mut seen = BTreeSet::new();
        let mut buckets: BTreeMap<(&str, Labels), Vec<(f64, f64)>> = BTreeMap::new();
        for sample in &self.samples {
            let family = self.family(sample);
            let kind = self.kind(family);
            assert!(kind.is_some(), "{} has no type", sample.name);
            assert!(self.helps.contains(family), "{family} has no help");
            if kind == Some("counter") {
                assert!(family.ends_with("_total"), "{family}");
                assert!(sample.value >= 0.0, "{sample:?}");
            }
            assert!(
                seen.insert((&sample.name, &sample.labels)),
                "twice: {sample:?}"
            );
            if sample.name.ends_with("_bucket") && kind == Some("histogram") {
                let mut labels = sample.labels.clone();
                let bound = labels.remove("le").expect("a bucket's bound");
                let bound: f64 = bound.parse().expect("a number");
                let series = buckets.entry((family, labels)).or_default();
                series.push((bound, sample.value));
            }
        }
        for ((family, labels), series) in buckets {
            let grows = |pair: &[(f64, f64)]| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1;
            assert!(
                series.windows(2).all(grows),
                "{family} {labels:?} {series:?}"
            );
            let labels: Vec<(&str, &str)> = labels
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect();
            let count = self.sum(&format!("{family}_count"), &labels);
            assert_eq!(series.last(), Some(&(f64::INFINITY, count)), "{family}");
        }
    }
}

fn parse_sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect(line);
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        number => number.parse().expect(line),
    };
    let (name, labels) = match series.split_once('{') {
        None => (series, ""),
        Some((name, labels)) => (name, labels.strip_suffix('}').expect(line)),
    };
    assert!(is_name(name), "{line}");
    Sample {
        name: name.to_owned(),
        labels: parse_labels(labels),
        value,
    }
}

fn parse_labels(mut text: &str) -> Labels {
    let mut labels = Labels::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").expect(text);
        assert!(is_name(name) && !name.contains(':'), "{text}");
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next().expect("a closing quote") {
                (at, '"') => break at,
                (_, '\\') => match characters.next().expect("an escaped character").1 {
                    'n' => value.push('\n'),
                    escaped @ ('\\' | '"') => value.push(escaped),
                    other => panic!("\\{other} in {text}"),
                },
                (_, character) => value.push(character),
            }
        };
        assert_eq!(labels.insert(name.to_owned(), value), None, "{text}");
        text = &rest[end + 1..];
        text = text.strip_prefix(',').unwrap_or(text);
    }
    labels
}

fn is_name(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    !text.is_empty() && !text.as_bytes()[0].is_ascii_digit() && text.bytes().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_total What it is.\n# TYPE a_total counter\n\
        a_total{route=\"/x{y}\",quoted=\"a\\\"b\\\\\"} 2\na_total{route=\"/\"} 3e0\n\n\
        # HELP h Times.\n# TYPE h histogram\n\
        h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 1.5\nh_count 2\n";

    #[test]
    fn a_well_formed_text_is_read() {
        let metrics = Metrics::parse(GOOD);
        assert_eq!(metrics.sum("a_total", &[]), 5.0);
        assert_eq!(metrics.sum("a_total", &[("route", "/x{y}")]), 2.0);
        assert_eq!(metrics.sum("a_total", &[("quoted", "a\"b\\")]), 2.0);
        assert_eq!(metrics.sum("h_count", &[]), 2.0);
        assert_eq!(metrics.kind("h"), Some("histogram"));
        let routes = metrics.label_values("a_total", "route");
        assert_eq!(routes, BTreeSet::from(["/", "/x{y}"]));
    }

    #[test]
    fn a_text_that_is_not_well_formed_is_refused() {
        for (right, wrong) in [
            ("# TYPE a_total counter\n", ""),
            ("# HELP a_total What it is.\n", ""),
            ("counter", "meter"),
            ("3e0", "three"),
            ("3e0", "-3"),
            ("a_total{route=\"/\"}", "a-total{route=\"/\"}"),
            ("a_total{route=\"/\"}", "b_total{route=\"/\"}"),
            ("{route=\"/\"}", "{route=/}"),
            ("{route=\"/\"}", "{route=\"/\""),
            ("{route=\"/\"}", "{1=\"/\"}"),
            (
                "{route=\"/\"} 3e0",
                "{route=\"/\"} 3e0\na_total{route=\"/\"} 1",
            ),
            ("le=\"1\"} 1", "le=\"1\"} 3"),
            ("le=\"+Inf\"", "le=\"2\""),
            ("h_count 2", "h_count 3"),
            ("h_count 2\n", "h_count 2"),
        ] {
            assert!(GOOD.contains(right), "{right}");
            let text = GOOD.replace(right, wrong);
            let outcome = std::panic::catch_unwind(|| Metrics::parse(&text));
            assert!(outcome.is_err(), "{wrong}");
        }
    }
}
