//! One run held against an earlier one.

use std::fmt::Write as _;

use crate::figures::{Better, Figure, Summary};
use crate::run::Run;
use crate::statistics::{quartiles, range};
use crate::table::Table;

/// Below so many repetitions their spread says too little.
const REPETITIONS_MIN: usize = 3;
/// What is then taken for noise at least, as a share of the median.
const NOISE_MIN: f64 = 0.1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Better,
    Worse,
    WithinNoise,
}

impl Verdict {
    fn in_words(self) -> &'static str {
        match self {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::WithinNoise => "within noise",
        }
    }
}

/// What got better or worse, figure by figure.
pub(crate) fn text(earlier: &Run, now: &Run) -> String {
    let mut text = format!("\nAgainst commit {} on {}\n", earlier.commit, earlier.date);
    if earlier.machine != now.machine {
        let _ = writeln!(
            text,
            "  on another machine: {}; only ratios can be compared",
            earlier.machine.in_words()
        );
    }
    if earlier.settings != now.settings {
        let then = &earlier.settings;
        let _ = writeln!(
            text,
            "  with other settings: loads of {} s, {} repetitions, a backlog of {}",
            then.load_s, then.repetitions, then.backlog
        );
    }
    let mut table = Table::new(["figure", "then", "now", "change", ""]);
    let mut verdicts = Vec::new();
    for figure in &now.figures.0 {
        let then = earlier
            .figures
            .0
            .iter()
            .find(|other| other.is_same_as(figure));
        let Some(then) = then else { continue };
        let Some(verdict) = verdict(then, figure) else {
            continue;
        };
        verdicts.push(verdict);
        table.push(vec![
            format!("{}, {}: {}", figure.section, figure.row, figure.column),
            then.in_words(then.value()),
            figure.in_words(figure.value()),
            change(then.value(), figure.value()),
            verdict.in_words().to_owned(),
        ]);
    }
    text += &table.text();
    let count = |wanted| {
        verdicts
            .iter()
            .filter(|verdict| **verdict == wanted)
            .count()
    };
    let _ = writeln!(
        text,
        "  {} better, {} worse, {} within noise; {} of this run and {} of the other have no counterpart",
        count(Verdict::Better),
        count(Verdict::Worse),
        count(Verdict::WithinNoise),
        alone(now, earlier),
        alone(earlier, now)
    );
    text
}

/// How many figures only the first of both has.
fn alone(run: &Run, other: &Run) -> usize {
    let has = |figure: &Figure| other.figures.0.iter().any(|other| other.is_same_as(figure));
    run.figures.0.iter().filter(|figure| !has(figure)).count()
}

/// `None` for a figure that is neither good nor bad.
fn verdict(then: &Figure, now: &Figure) -> Option<Verdict> {
    let more = now.value() - then.value();
    let gain = match now.better {
        Better::More => more,
        Better::Less => -more,
        Better::Neither => return None,
    };
    let noise = noise(then).max(noise(now));
    Some(if gain > noise {
        Verdict::Better
    } else if gain < -noise {
        Verdict::Worse
    } else {
        Verdict::WithinNoise
    })
}

/// By how much the figure may differ without a cause: what is between its quartiles, and no less than a table
/// shows.
fn noise(figure: &Figure) -> f64 {
    let shown = 0.1_f64.powi(i32::try_from(figure.decimals).unwrap_or(0));
    let noise = match figure.summary {
        Summary::Sum => return 0.0,
        Summary::Median if figure.values.len() < REPETITIONS_MIN => {
            range(&figure.values).max(NOISE_MIN * figure.value().abs())
        }
        Summary::Median => {
            let (lower, upper) = quartiles(&figure.values);
            upper - lower
        }
    };
    noise.max(shown)
}

fn change(then: f64, now: f64) -> String {
    if then == 0.0 {
        return "-".to_owned();
    }
    format!("{:+.0} %", 100.0 * (now - then) / then)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::sample;

    fn verdict_of(then: &[f64], now: &[f64]) -> Option<Verdict> {
        verdict(&sample(then).figures.0[0], &sample(now).figures.0[0])
    }

    #[test]
    fn a_change_counts_beyond_the_quartiles_of_both_runs() {
        let steady = [0.40, 0.41, 0.40, 0.39, 0.40];
        let noisy = [0.30, 0.45, 0.46, 0.60, 0.70];
        assert_eq!(verdict_of(&steady, &[0.43; 5]), Some(Verdict::Better));
        assert_eq!(verdict_of(&steady, &[0.37; 5]), Some(Verdict::Worse));
        assert_eq!(verdict_of(&steady, &steady), Some(Verdict::WithinNoise));
        assert_eq!(verdict_of(&steady, &noisy), Some(Verdict::WithinNoise));
        assert_eq!(verdict_of(&noisy, &steady), Some(Verdict::WithinNoise));
    }

    #[test]
    fn few_values_are_taken_to_be_as_noisy_as_a_tenth() {
        assert_eq!(verdict_of(&[1.0], &[1.09]), Some(Verdict::WithinNoise));
        assert_eq!(verdict_of(&[1.0], &[1.12]), Some(Verdict::Better));
        assert_eq!(verdict_of(&[1.0; 2], &[0.85; 2]), Some(Verdict::Worse));
        let wide = verdict_of(&[1.0, 1.3], &[0.9, 1.0]);
        assert_eq!(wide, Some(Verdict::WithinNoise));
    }

    #[test]
    fn what_no_table_shows_is_noise() {
        assert_eq!(
            verdict_of(&[0.4; 5], &[0.409; 5]),
            Some(Verdict::WithinNoise)
        );
        assert_eq!(verdict_of(&[0.4; 5], &[0.411; 5]), Some(Verdict::Better));
    }

    #[test]
    fn less_of_a_cost_is_better_and_one_loss_is_worse() {
        let of = |better, summary, value| Figure {
            better,
            summary,
            values: vec![value; 3],
            ..sample(&[1.0]).figures.0[0].clone()
        };
        let cost = |value| of(Better::Less, Summary::Median, value);
        assert_eq!(verdict(&cost(30.0), &cost(11.0)), Some(Verdict::Better));
        let lost = |value| of(Better::Less, Summary::Sum, value);
        assert_eq!(verdict(&lost(0.0), &lost(1.0)), Some(Verdict::Worse));
        let plain = |value| of(Better::Neither, Summary::Median, value);
        assert_eq!(verdict(&plain(1.0), &plain(2.0)), None);
    }

    #[test]
    fn what_differs_between_the_runs_is_said() {
        let then = sample(&[0.2; 5]);
        let mut now = sample(&[0.4; 5]);
        let same = text(&then, &now);
        assert!(
            same.contains("write-behind, unique: of E  0.20  0.40  +100 %  better"),
            "{same}"
        );
        assert!(
            same.contains("1 better, 0 worse, 1 within noise; 0 of this run and 0 of the other")
        );
        assert!(!same.contains("another machine") && !same.contains("other settings"));
        now.machine.cores = 64;
        now.settings.load_s = 1;
        now.figures.0.truncate(1);
        let other = text(&then, &now);
        assert!(
            other.contains("on another machine: Some CPU, 2 cores"),
            "{other}"
        );
        assert!(other.contains("with other settings: loads of 4 s"));
        assert!(other.contains("0 of this run and 1 of the other have no counterpart"));
    }
}
