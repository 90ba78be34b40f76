//! Axes: from a figure to a place between 0 and 1, and the ticks in between.

use crate::report::figure;

/// More than this is shown as this, so that no step of a scale is too large for a number.
const FIGURE_MAX: f64 = 1e18;
/// The powers of ten that a logarithmic axis shows at most.
const DECADES_MAX: i32 = 24;

#[derive(Clone, Debug)]
pub(super) struct Axis {
    scale: Scale,
    from: f64,
    until: f64,
    pub(super) ticks: Vec<Tick>,
}

#[derive(Clone, Debug)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) label: String,
}

#[derive(Clone, Copy, Debug)]
enum Scale {
    Linear,
    Logarithmic,
    /// Of percentiles: each power of ten that is left above is as wide as the others.
    Tail,
}

impl Axis {
    /// From 0 to a round figure that is not below the largest, in about so many steps.
    pub(super) fn linear(largest: f64, steps: u32, unit: &str) -> Axis {
        let largest = match shown(largest) {
            largest if largest > 0.0 => largest,
            _ => 1.0,
        };
        let step = round_step(largest, steps);
        let count = (largest / step).ceil().max(1.0);
        Axis::stepped(step * count, step, unit)
    }

    /// From 0 to exactly there.
    pub(super) fn time(until_s: f64, steps: u32) -> Axis {
        let until_s = shown(until_s);
        let until_s = if until_s > 0.0 { until_s } else { 1.0 };
        Axis::stepped(until_s, round_step(until_s, steps), "s")
    }

    fn stepped(until: f64, step: f64, unit: &str) -> Axis {
        // A step is at least an eighth or so of the whole, so these are few.
        let count = (until / step + 1e-9).floor().min(20.0) as u32;
        let tick = |index: u32| {
            let value = step * f64::from(index);
            Tick {
                value,
                label: labelled(value, unit),
            }
        };
        Axis {
            scale: Scale::Linear,
            from: 0.0,
            until,
            ticks: (0..=count).map(tick).collect(),
        }
    }

    /// A tick at each power of ten, and at 2 and 5 times of it where they are few. `None`
    /// without a figure above 0.
    pub(super) fn logarithmic(figures: impl Iterator<Item = f64>, unit: &str) -> Option<Axis> {
        let figures: Vec<f64> = figures.map(shown).filter(|value| *value > 1e-9).collect();
        let smallest = figures.iter().copied().reduce(f64::min)?;
        let largest = figures.iter().copied().reduce(f64::max)?;
        let last = (largest.log10() - 1e-9).ceil() as i32;
        let first = (smallest.log10() + 1e-9).floor() as i32;
        let first = first.min(last - 1).max(last - DECADES_MAX);
        let decades = last - first;
        // The figures' own range, in round figures and at least five times as far up as down.
        let round = |multiple: &f64, decade: i32| multiple * 10_f64.powi(decade);
        let below = |value: f64| value <= smallest * 1.000_001;
        let above = |value: f64| value >= largest * 0.999_999;
        let rounds = [1.0, 2.0, 5.0];
        let lows = rounds.iter().rev().map(|multiple| round(multiple, first));
        let from = lows
            .clone()
            .find(|low| below(*low))
            .unwrap_or(round(&1.0, first));
        let highs = rounds.iter().map(|multiple| round(multiple, last - 1));
        let until = highs
            .clone()
            .find(|high| above(*high))
            .unwrap_or(round(&1.0, last));
        let (from, until) = match until / from < 4.999 {
            true => (round(&1.0, first), round(&1.0, last)),
            false => (from, until),
        };
        let multiples: &[f64] = match until / from {
            ..200.0 => &rounds,
            _ => &[1.0],
        };
        let every = (decades / 7 + 1) as usize;
        let mut ticks = Vec::new();
        for decade in (first..=last).step_by(every) {
            for multiple in multiples {
                let value = round(multiple, decade);
                if (from * 0.999_999..=until * 1.000_001).contains(&value) {
                    let label = labelled(value, unit);
                    ticks.push(Tick { value, label });
                }
            }
        }
        Some(Axis {
            scale: Scale::Logarithmic,
            from,
            until,
            ticks,
        })
    }

    /// Of percentiles, 0 up to 99.99.
    pub(super) fn percentiles() -> Axis {
        let tick = |(value, label): (f64, &str)| Tick {
            value,
            label: label.to_owned(),
        };
        let ticks = [
            (0.0, "0"),
            (50.0, "50"),
            (90.0, "90"),
            (99.0, "99"),
            (99.9, "99.9"),
            (99.99, "99.99"),
        ];
        Axis {
            scale: Scale::Tail,
            from: 0.0,
            until: 99.99,
            ticks: ticks.map(tick).into(),
        }
    }

    /// Where the figure is, from 0 to 1; beyond an end, at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let on_scale = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.max(1e-12).log10(),
            Scale::Tail => -(1.0 - value / 100.0).max(1e-9).log10(),
        };
        let (from, until) = (on_scale(self.from), on_scale(self.until));
        let place = (on_scale(shown(value)) - from) / (until - from);
        if place.is_finite() {
            place.clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

fn labelled(value: f64, unit: &str) -> String {
    let figure = figure::on_axis(value);
    match unit {
        "" => figure,
        "%" => format!("{figure} %"),
        // A time has the unit that suits it.
        "ms" if value >= 1e7 => format!("{:.0e} s", value / 1000.0),
        "ms" if value >= 1000.0 => format!("{} s", figure::on_axis(value / 1000.0)),
        unit => format!("{figure} {unit}"),
    }
}

/// A finite figure that is not below zero.
fn shown(value: f64) -> f64 {
    if value.is_finite() {
        value.clamp(0.0, FIGURE_MAX)
    } else {
        0.0
    }
}

/// 1, 2 or 5 times a power of ten, so that about so many of it make the whole.
fn round_step(whole: f64, steps: u32) -> f64 {
    let step = whole / f64::from(steps.max(1));
    let power = 10_f64.powf(step.log10().floor());
    let fits = |multiple: &f64| multiple * power >= step * 0.999;
    let multiple = [1.0, 2.0, 5.0].into_iter().find(fits).unwrap_or(10.0);
    multiple * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_figures() {
        let throughput = Axis::linear(12_345.0, 4, "");
        assert_eq!(labels(&throughput), ["0", "5,000", "10,000", "15,000"]);
        assert_eq!(labels(&Axis::linear(0.0, 2, "")), ["0", "0.5", "1"]);
        assert_eq!(
            labels(&Axis::time(20.0, 4)),
            ["0 s", "5 s", "10 s", "15 s", "20 s"]
        );
        let latency = Axis::logarithmic([0.2, 4_100.0].into_iter(), "ms").unwrap();
        assert_eq!(labels(&latency), ["1 ms", "10 ms", "100 ms", "1 s"]);
        let narrow = Axis::logarithmic([3.0, 3.0].into_iter(), "ms").unwrap();
        assert_eq!(labels(&narrow), ["1 ms", "2 ms", "5 ms", "10 ms"]);
        let distribution = Axis::logarithmic([0.4, 13.0].into_iter(), "ms").unwrap();
        assert_eq!(
            labels(&distribution),
            ["0.2 ms", "0.5 ms", "1 ms", "2 ms", "5 ms", "10 ms", "20 ms"]
        );
    }

    #[test]
    fn each_power_of_ten_that_is_left_is_equally_wide() {
        let axis = Axis::percentiles();
        for (percentile, place) in [(0.0, 0.0), (90.0, 0.25), (99.0, 0.5), (99.9, 0.75)] {
            assert!(
                (axis.place(percentile) - place).abs() < 1e-6,
                "{percentile}"
            );
        }
        assert_eq!(axis.place(100.0), 1.0);
    }

    #[test]
    fn every_figure_has_a_place() {
        let figures = [0.0, -1.0, 1e-300, 1.0, f64::MAX, f64::NAN, f64::INFINITY];
        for largest in figures {
            let mut axes = vec![Axis::linear(largest, 4, ""), Axis::time(largest, 4)];
            axes.extend(Axis::logarithmic([largest].into_iter(), "ms"));
            for axis in axes {
                assert!((1..40).contains(&axis.ticks.len()), "{axis:?}");
                for figure in figures {
                    let place = axis.place(figure);
                    assert!(
                        (0.0..=1.0).contains(&place),
                        "{figure} on {axis:?}: {place}"
                    );
                }
            }
        }
    }
}
