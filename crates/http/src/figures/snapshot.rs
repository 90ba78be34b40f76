//! One reading of a service's metrics.

use std::collections::HashMap;

use super::buckets::Buckets;
use super::exposition::{self, ParseError, Sample};

/// All values that a service's metrics had at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    series: HashMap<String, Vec<Series>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Series {
    labels: Vec<(String, String)>,
    value: f64,
}

impl Series {
    fn label(&self, name: &str) -> Option<&str> {
        let label = self.labels.iter().find(|(label, _)| label == name);
        label.map(|(_, value)| value.as_str())
    }

    fn has_all(&self, labels: &[(&str, &str)]) -> bool {
        let has = |(name, value): &(&str, &str)| self.label(name) == Some(value);
        labels.iter().all(has)
    }
}

impl Snapshot {
    /// Reads the Prometheus text format, such as `/metrics` answers with.
    ///
    /// # Errors
    /// When a line is not of that format.
    pub fn parse(text: &str) -> Result<Snapshot, ParseError> {
        let mut snapshot = Snapshot::default();
        for sample in exposition::parse(text)? {
            let Sample {
                name,
                labels,
                value,
            } = sample;
            let series = snapshot.series.entry(name).or_default();
            series.push(Series { labels, value });
        }
        Ok(snapshot)
    }

    /// Whether there is any series of this name.
    pub fn has(&self, name: &str) -> bool {
        self.series.contains_key(name)
    }

    /// The sum over all series of this name that have these labels, whatever other labels they have; 0
    /// where there is none. Values that are no numbers do not count.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let matching = self.matching(name, labels).map(|series| series.value);
        // Not by sum(), which makes -0 of nothing.
        let numbers = matching.filter(|value| !value.is_nan());
        numbers.fold(0.0, |sum, value| sum + value)
    }

    /// The sum over all series that also have a label whose value is as asked for.
    pub fn sum_where(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        label: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> f64 {
        let matching = self.matching(name, labels);
        let wanted = matching.filter(|series| series.label(label).is_some_and(&wanted));
        wanted.fold(0.0, |sum, series| sum + series.value)
    }

    /// The sum of gauges; `None` where there is none, or one is no number.
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let values = self.matching(name, labels).map(|series| series.value);
        let sum = values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value));
        sum.filter(|sum| !sum.is_nan())
    }

    /// The value of a label of the first series of this name.
    pub fn label(&self, name: &str, label: &str) -> Option<&str> {
        self.series.get(name)?.first()?.label(label)
    }

    /// The histogram of this name over all series that have these labels.
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> Buckets {
        let sum = self.sum(&format!("{name}_sum"), labels);
        let name = format!("{name}_bucket");
        let buckets = self.matching(&name, labels).filter_map(|series| {
            let bound = series.label("le")?.parse().ok()?;
            Some((bound, series.value))
        });
        Buckets::new(buckets, sum)
    }

    /// Whether a counter is lower than it was, or gone, as happens only when the process has restarted.
    pub fn restarted_since(&self, before: &Snapshot) -> bool {
        before.series.iter().any(|(name, series)| {
            let counts = name.ends_with("_total") || name.ends_with("_bucket");
            counts && series.iter().any(|series| self.is_below(name, series))
        })
    }

    fn is_below(&self, name: &str, before: &Series) -> bool {
        let now = self.series.get(name).into_iter().flatten();
        let mut same = now.filter(|series| series.labels == before.labels);
        same.next().is_none_or(|series| series.value < before.value)
    }

    fn matching<'a>(
        &'a self,
        name: &str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = &'a Series> {
        let series = self.series.get(name).into_iter().flatten();
        series.filter(move |series| series.has_all(labels))
    }
}
