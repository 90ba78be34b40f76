//! What was seen when, by the slices of the time.

use std::time::{Duration, Instant};

use super::{Look, Observations};
use crate::report::Slice;

/// Fills in what the service's figures say of each slice; `began` is the time of the first
/// request. A slice without an observation stays as it is.
pub fn merge(slices: &mut [Slice], observations: &Observations, began: Instant) {
    for slice in slices {
        let (Some(from), Some(until)) = (
            after(began, slice.at_s),
            after(began, slice.at_s + slice.seconds),
        ) else {
            continue;
        };
        let before = observations.looks.iter().rfind(|look| look.at <= from);
        let within = |look: &&Look| look.at > from && look.at <= until;
        let mut within = observations.looks.iter().filter(within);
        let Some(first) = within.next() else { continue };
        let last = within.next_back().unwrap_or(first);
        fill_in(slice, before.unwrap_or(first), last);
    }
}

fn fill_in(slice: &mut Slice, before: &Look, last: &Look) {
    slice.journal_depth = last.journal_depth.map(|depth| depth as u64);
    slice.journal_age_s = last.journal_age_s;
    let seconds = (last.at - before.at).as_secs_f64();
    if seconds <= 0.0 {
        // One look says nothing of a rate.
        return;
    }
    // Nor do two at different runs of a service, whose counts have become lower.
    if let (Some(rows_before), Some(rows)) = (before.rows, last.rows)
        && rows >= rows_before
    {
        slice.database_rows_per_second = Some((rows - rows_before) / seconds);
    }
    let reads = last.reads - before.reads;
    if reads > 0.0 {
        slice.cache_hit_share = Some((last.hits - before.hits) / reads);
    }
}

fn after(began: Instant, seconds: f64) -> Option<Instant> {
    began.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(began: Instant, at_ms: u64, count: f64) -> Look {
        Look {
            at: began + Duration::from_millis(at_ms),
            rows: Some(count * 10.0),
            reads: count * 4.0,
            hits: count,
            journal_depth: Some(count),
            journal_age_s: Some(count / 100.0),
        }
    }

    fn slices(count: u32) -> Vec<Slice> {
        let slice = |number| Slice {
            at_s: f64::from(number),
            seconds: 1.0,
            per_second: 7.0,
            ..Slice::default()
        };
        (0..count).map(slice).collect()
    }

    #[test]
    fn each_slice_has_what_was_seen_in_it_and_rates_since_before_it() {
        // The first look was half a second before the first request.
        let first_look = Instant::now();
        let began = first_look + Duration::from_millis(500);
        let mut looks = vec![look(first_look, 0, 0.0)];
        looks.extend([(400, 2.0), (900, 7.0), (1900, 9.0)].map(|(at, n)| look(began, at, n)));
        let seen = Observations {
            looks,
            ..Observations::default()
        };
        let mut slices = slices(3);
        merge(&mut slices, &seen, began);
        assert_eq!(slices[0].journal_depth, Some(7));
        assert_eq!(slices[0].journal_age_s, Some(0.07));
        // 70 rows in 1.4 s, and 20 in 1 s.
        assert_eq!(slices[0].database_rows_per_second, Some(50.0));
        assert_eq!(slices[1].database_rows_per_second, Some(20.0));
        assert_eq!(slices[1].cache_hit_share, Some(0.25));
        assert_eq!(slices[1].journal_depth, Some(9));
        // There is no observation in the last slice.
        let untouched = Slice {
            at_s: 2.0,
            seconds: 1.0,
            per_second: 7.0,
            ..Slice::default()
        };
        assert_eq!(slices[2], untouched);
    }

    #[test]
    fn a_share_of_no_reads_and_a_rate_over_a_restart_are_absent() {
        let began = Instant::now();
        let seen = Observations {
            looks: [(0, 5.0), (900, 5.0), (1900, 1.0)]
                .map(|(at, count)| look(began, at, count))
                .into(),
            ..Observations::default()
        };
        let mut slices = slices(2);
        merge(&mut slices, &seen, began);
        assert_eq!(slices[0].cache_hit_share, None);
        assert_eq!(slices[0].database_rows_per_second, Some(0.0));
        assert_eq!(slices[1].database_rows_per_second, None);
        assert_eq!(slices[1].journal_depth, Some(1));
    }
}
