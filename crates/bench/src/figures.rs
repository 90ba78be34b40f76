//! What was measured: figures by section, row and column, with the value of every repetition.

use serde::{Deserialize, Serialize};

use crate::statistics::{median, quartiles};

/// What a column of a table has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    name: &'static str,
    decimals: usize,
    better: Better,
    summary: Summary,
    goal: Option<Goal>,
}

impl Measure {
    /// Of which more is better.
    pub(crate) const fn more(name: &'static str, decimals: usize) -> Measure {
        Measure::new(name, decimals, Better::More)
    }

    /// Of which less is better.
    pub(crate) const fn less(name: &'static str, decimals: usize) -> Measure {
        Measure::new(name, decimals, Better::Less)
    }

    /// That explains others, and is neither good nor bad.
    pub(crate) const fn plain(name: &'static str, decimals: usize) -> Measure {
        Measure::new(name, decimals, Better::Neither)
    }

    /// Of which one in any repetition counts.
    pub(crate) const fn count(name: &'static str) -> Measure {
        let mut measure = Measure::new(name, 0, Better::Less);
        measure.summary = Summary::Sum;
        measure
    }

    const fn new(name: &'static str, decimals: usize, better: Better) -> Measure {
        Measure {
            name,
            decimals,
            better,
            summary: Summary::Median,
            goal: None,
        }
    }

    pub(crate) const fn at_least(mut self, goal: f64) -> Measure {
        self.goal = Some(Goal::AtLeast(goal));
        self
    }

    pub(crate) const fn at_most(mut self, goal: f64) -> Measure {
        self.goal = Some(Goal::AtMost(goal));
        self
    }
}

/// In which direction a figure improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Better {
    More,
    Less,
    Neither,
}

/// What stands for all repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Summary {
    Median,
    Sum,
}

/// What a figure is to reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    /// What is not a number meets no goal.
    pub(crate) fn is_met(self, value: f64) -> bool {
        match self {
            Goal::AtLeast(goal) => value >= goal,
            Goal::AtMost(goal) => value <= goal,
        }
    }
}

/// One cell of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) section: String,
    pub(crate) row: String,
    pub(crate) column: String,
    pub(crate) decimals: usize,
    pub(crate) better: Better,
    pub(crate) summary: Summary,
    pub(crate) goal: Option<Goal>,
    /// Of every repetition.
    pub(crate) values: Vec<f64>,
}

impl Figure {
    /// The median, or the sum.
    pub(crate) fn value(&self) -> f64 {
        match self.summary {
            Summary::Median => median(&self.values),
            Summary::Sum => self.values.iter().sum(),
        }
    }

    /// The quartiles, where there are repetitions that may differ.
    pub(crate) fn spread(&self) -> Option<(f64, f64)> {
        (self.summary == Summary::Median && self.values.len() > 1).then(|| quartiles(&self.values))
    }

    /// Whether it counts acknowledged writes that were lost.
    pub(crate) fn is_loss(&self) -> bool {
        self.column == LOST.name
    }

    /// Whether both are of the same thing.
    pub(crate) fn is_same_as(&self, other: &Figure) -> bool {
        self.is_of(&other.section, &other.row, &other.column)
    }

    fn is_of(&self, section: &str, row: &str, column: &str) -> bool {
        self.section == section && self.row == row && self.column == column
    }

    /// A value as the tables have it.
    pub(crate) fn in_words(&self, value: f64) -> String {
        format!("{value:.*}", self.decimals)
    }
}

/// Everything that a run has measured, in the order in which it was first measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Figures(pub(crate) Vec<Figure>);

impl Figures {
    /// A table's rows of one name.
    pub(crate) fn row<'a>(&'a mut self, section: &'a str, row: &'a str) -> Row<'a> {
        Row {
            figures: self,
            section,
            row,
        }
    }

    /// The sum of all figures that count what was lost.
    pub(crate) fn losses(&self) -> f64 {
        let lost = self.0.iter().filter(|figure| figure.is_loss());
        lost.map(Figure::value).sum()
    }

    fn record(&mut self, section: &str, row: &str, measure: Measure, value: f64) {
        let found = self
            .0
            .iter_mut()
            .find(|figure| figure.is_of(section, row, measure.name));
        if let Some(figure) = found {
            figure.values.push(value);
            return;
        }
        self.0.push(Figure {
            section: section.to_owned(),
            row: row.to_owned(),
            column: measure.name.to_owned(),
            decimals: measure.decimals,
            better: measure.better,
            summary: measure.summary,
            goal: measure.goal,
            values: vec![value],
        });
    }
}

/// Where the figures of one repetition of one row go.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    figures: &'a mut Figures,
    section: &'a str,
    row: &'a str,
}

impl Row<'_> {
    /// Adds the value of a repetition.
    pub(crate) fn add(&mut self, measure: Measure, value: f64) {
        self.figures.record(self.section, self.row, measure, value);
    }
}

/// Acknowledged writes that the database does not have in the end.
pub(crate) const LOST: Measure = Measure::count("lost").at_most(LOST_MAX);

/// A promise rather than a goal.
pub(crate) const LOST_MAX: f64 = 0.0;

/// Requests that were answered otherwise, or not.
pub(crate) const FAILED: Measure = Measure::count("failed");

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Measure = Measure::more("rate", 1).at_least(2.0);

    #[test]
    fn repetitions_of_a_cell_are_one_figure() {
        let mut figures = Figures::default();
        for value in [1.0, 5.0, 2.0] {
            figures.row("writes", "first").add(RATE, value);
            figures.row("writes", "second").add(RATE, value + 1.0);
        }
        assert_eq!(figures.0.len(), 2);
        let first = &figures.0[0];
        assert_eq!(first.values, [1.0, 5.0, 2.0]);
        assert_eq!((first.value(), first.spread()), (2.0, Some((1.5, 3.5))));
        assert_eq!(first.in_words(2.04), "2.0");
    }

    #[test]
    fn one_loss_in_any_repetition_counts() {
        let mut figures = Figures::default();
        for lost in [0.0, 0.0, 3.0] {
            figures.row("writes", "first").add(LOST, lost);
        }
        figures.row("writes", "first").add(FAILED, 7.0);
        assert_eq!(figures.losses(), 3.0);
        assert_eq!(figures.0[0].spread(), None);
        assert!(!LOST.goal.unwrap().is_met(figures.0[0].value()));
    }

    #[test]
    fn a_goal_is_met_at_its_bound_and_never_by_nothing() {
        assert!(Goal::AtLeast(0.45).is_met(0.45));
        assert!(!Goal::AtLeast(0.45).is_met(0.449));
        assert!(Goal::AtMost(2.0).is_met(2.0));
        assert!(!Goal::AtMost(2.0).is_met(2.01));
        assert!(!Goal::AtMost(2.0).is_met(f64::NAN));
        assert!(!Goal::AtLeast(2.0).is_met(f64::NAN));
    }
}
