//! What several runs say together: a median, and whether two of them differ by more than chance.

/// Two medians that are closer than this are called the same.
const SAME_BELOW: f64 = 1.1;
/// With one run of each nothing is known of chance, so only this much is called a difference.
const CLEAR_FROM: f64 = 2.0;

/// One figure of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Value {
    pub(super) number: f64,
    /// Whether the true value is at least this, and how much more is unknown.
    pub(super) at_least: bool,
}

impl Value {
    /// One that is known exactly.
    pub(super) fn exact(number: f64) -> Value {
        Value {
            number,
            at_least: false,
        }
    }
}

/// The same figure of every run of a pattern. Never empty.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measured(Vec<Value>);

/// How two patterns differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Difference {
    /// Not by more than the runs of each differ among themselves.
    None,
    /// The first is larger: so many times, infinitely often where the second is 0.
    First(f64),
    /// The second is.
    Second(f64),
}

impl Measured {
    /// `None` without a run that has the figure.
    pub(super) fn of(values: impl Iterator<Item = Option<Value>>) -> Option<Measured> {
        let mut values: Vec<Value> = values.flatten().collect();
        values.retain(|value| value.number.is_finite() && value.number >= 0.0);
        values.sort_by(|one, other| one.number.total_cmp(&other.number));
        (!values.is_empty()).then_some(Measured(values))
    }

    /// The middle one; of two the lower.
    pub(super) fn median(&self) -> Value {
        let middle = self.0.get((self.0.len() - 1) / 2).copied();
        let at_least = self.0.iter().any(|value| value.at_least);
        Value {
            number: middle.map_or(0.0, |value| value.number),
            at_least,
        }
    }

    pub(super) fn largest(&self) -> f64 {
        self.0.last().map_or(0.0, |value| value.number)
    }

    fn smallest(&self) -> f64 {
        self.0.first().map_or(0.0, |value| value.number)
    }

    /// A difference is one if the medians are a tenth apart and no run of the one is within the
    /// runs of the other.
    pub(super) fn differs(&self, other: &Measured) -> Difference {
        let (first, second) = (self.median(), other.median());
        let first_is_larger = first.number > second.number;
        let (larger, smaller) = match first_is_larger {
            true => (self, other),
            false => (other, self),
        };
        let ratio = larger.median().number / smaller.median().number;
        let repeated = self.0.len() > 1 && other.0.len() > 1;
        let needed = if repeated { SAME_BELOW } else { CLEAR_FROM };
        let apart = larger.smallest() > smaller.largest();
        // Where the smaller one is a lower bound it may be the larger.
        if ratio.is_nan() || ratio < needed || !apart || smaller.median().at_least {
            Difference::None
        } else if first_is_larger {
            Difference::First(ratio)
        } else {
            Difference::Second(ratio)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(numbers: &[f64]) -> Measured {
        Measured::of(numbers.iter().map(|number| Some(Value::exact(*number)))).unwrap()
    }

    #[test]
    fn a_difference_within_the_runs_own_is_none() {
        for (first, second, difference) in [
            (
                &[1.0, 2.0, 3.0][..],
                &[4.0, 6.0, 9.0][..],
                Difference::Second(3.0),
            ),
            (&[4.0, 6.0, 9.0], &[1.0, 2.0, 3.0], Difference::First(3.0)),
            // Three times as much in the middle, and a run of each within the other's.
            (&[1.0, 2.0, 5.0], &[4.0, 6.0, 9.0], Difference::None),
            (&[2.0, 2.0, 2.0], &[2.1, 2.1, 2.1], Difference::None),
            (&[0.0, 0.0], &[0.0, 0.0], Difference::None),
            (&[0.0, 0.0], &[1.0, 2.0], Difference::Second(f64::INFINITY)),
            // One run of each says nothing of chance.
            (&[2.0], &[3.9], Difference::None),
            (&[2.0], &[4.0], Difference::Second(2.0)),
        ] {
            assert_eq!(measured(first).differs(&measured(second)), difference);
        }
    }

    #[test]
    fn a_lower_bound_is_never_called_the_smaller() {
        let at_least = Value {
            number: 3.0,
            at_least: true,
        };
        let bound = Measured::of([Some(at_least); 3].into_iter()).unwrap();
        assert!(bound.median().at_least);
        assert_eq!(bound.differs(&measured(&[9.0, 9.0, 9.0])), Difference::None);
        assert_eq!(
            bound.differs(&measured(&[1.0, 1.0, 1.0])),
            Difference::First(3.0)
        );
    }

    #[test]
    fn what_is_no_figure_is_left_out() {
        let values = [f64::NAN, 7.0, f64::INFINITY, -1.0].map(|number| Some(Value::exact(number)));
        assert_eq!(
            Measured::of(values.into_iter()).unwrap().median().number,
            7.0
        );
        assert_eq!(Measured::of([None, None].into_iter()), None);
        // Of an even number the lower of the middle ones.
        assert_eq!(measured(&[4.0, 1.0, 3.0, 2.0]).median().number, 2.0);
    }
}
