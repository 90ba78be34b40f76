//! A histogram: how many values were no larger than each of a few bounds.

/// Cumulative counts by upper bound, and the sum of all values, in the unit of the metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    // In the order of the bounds, each of which is there once.
    cumulative: Vec<(f64, f64)>,
    sum: f64,
}

impl Buckets {
    /// A histogram of buckets in any order, those of the same bound added up.
    pub(super) fn new(buckets: impl IntoIterator<Item = (f64, f64)>, sum: f64) -> Buckets {
        let mut cumulative: Vec<(f64, f64)> = buckets.into_iter().collect();
        cumulative.sort_by(|(bound, _), (other, _)| bound.total_cmp(other));
        cumulative.dedup_by(|(bound, count), (kept, kept_count)| {
            let same = bound == kept;
            if same {
                *kept_count += *count;
            }
            same
        });
        Buckets { cumulative, sum }
    }

    /// Returns what came since an earlier reading of the same histogram. If the counts went down, the
    /// process has restarted, and this is everything since then.
    #[must_use]
    pub fn since(&self, before: &Buckets) -> Buckets {
        let difference: Vec<(f64, f64)> = self
            .cumulative
            .iter()
            .map(|(bound, count)| (*bound, count - before.up_to(*bound)))
            .collect();
        if self.count() < before.count() || difference.iter().any(|(_, count)| *count < 0.0) {
            return self.clone();
        }
        Buckets {
            cumulative: difference,
            sum: self.sum - before.sum,
        }
    }

    /// Both together, for histograms with the same bounds.
    #[must_use]
    pub fn and(&self, other: &Buckets) -> Buckets {
        let both = self.cumulative.iter().chain(&other.cumulative).copied();
        Buckets::new(both, self.sum + other.sum)
    }

    /// How many values there are.
    pub fn count(&self) -> f64 {
        self.cumulative.last().map_or(0.0, |(_, count)| *count)
    }

    /// Their mean; `None` where there is none.
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0.0).then(|| self.sum / count)
    }

    /// The value that this share of all values, 0 to 1, does not exceed, as though the values of a bucket
    /// were spread evenly over it; `None` where there is none. What is beyond the highest bound counts as
    /// that bound.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count <= 0.0 {
            return None;
        }
        let rank = share.clamp(0.0, 1.0) * count;
        let (mut below, mut counted) = (0.0, 0.0);
        for (bound, cumulative) in &self.cumulative {
            if *cumulative >= rank && *cumulative > counted {
                let width = if bound.is_finite() {
                    bound - below
                } else {
                    0.0
                };
                return Some(below + width * (rank - counted).max(0.0) / (cumulative - counted));
            }
            if bound.is_finite() {
                below = *bound;
            }
            counted = *cumulative;
        }
        Some(below)
    }

    /// The bound of the bucket that has the value which this share of all values, 0 to 1, does not exceed;
    /// `None` where there is none, or that is beyond the highest bound.
    pub fn bound(&self, share: f64) -> Option<f64> {
        let rank = share.clamp(0.0, 1.0) * self.count();
        let mut buckets = self.cumulative.iter();
        let (bound, _) =
            buckets.find(|(_, cumulative)| *cumulative > 0.0 && *cumulative >= rank)?;
        bound.is_finite().then_some(*bound)
    }

    /// How many values are no larger than a bound.
    fn up_to(&self, bound: f64) -> f64 {
        let same = self.cumulative.iter().find(|(other, _)| *other == bound);
        same.map_or(0.0, |(_, count)| *count)
    }
}
