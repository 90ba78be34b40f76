//! A run in a file: what was measured, on which machine, from which commit.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Result;
use crate::figures::Figures;
use crate::machine::Machine;
use crate::settings::Settings;

/// Raised when figures of an older form would be misread.
const FORM: u64 = 2;

const TOOL: &str = "write-cache scripts/bench";

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    tool: String,
    form: u64,
    /// When it began, in UTC.
    pub(crate) date: String,
    /// What was measured.
    pub(crate) commit: String,
    pub(crate) machine: Machine,
    /// How it was measured.
    pub(crate) settings: Settings,
    pub(crate) figures: Figures,
}

impl Run {
    pub(crate) fn new(date: String, commit: String, machine: Machine, settings: Settings) -> Run {
        Run {
            tool: TOOL.to_owned(),
            form: FORM,
            date,
            commit,
            machine,
            settings,
            figures: Figures::default(),
        }
    }

    /// Reads what [`Run::write`] has written.
    ///
    /// # Errors
    /// With a sentence, when the file is missing, of another form or of another program.
    pub(crate) fn read(path: &Path) -> Result<Run> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Run::parse(&text).map_err(|why| format!("{} {why}", path.display()).into())
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, serde_json::to_vec_pretty(self)?)
            .map_err(|error| format!("{}: {error}", path.display()).into())
    }

    fn parse(text: &str) -> std::result::Result<Run, String> {
        let foreign = || format!("has not been written by {TOOL}");
        let value: Value = serde_json::from_str(text).map_err(|_| foreign())?;
        if value.get("tool").and_then(Value::as_str) != Some(TOOL) {
            return Err(match value.get("writes") {
                Some(_) => format!(
                    "is of a form before {FORM}, which has no machine and no commit; measure that commit again"
                ),
                None => foreign(),
            });
        }
        match value.get("form").and_then(Value::as_u64) {
            Some(FORM) => serde_json::from_value(value)
                .map_err(|error| format!("says that its form is {FORM}, but {error}")),
            Some(form) => Err(format!(
                "has form {form}, and this reads form {FORM}; measure that commit again"
            )),
            None => Err("does not say its form".to_owned()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::figures::{LOST, Measure};

    /// A run with one figure that has these values.
    pub(crate) fn sample(values: &[f64]) -> Run {
        let machine = Machine {
            processor: "Some CPU".to_owned(),
            cores: 2,
            memory_mib: 8192,
            kernel: "6.1".to_owned(),
            redis: "7.0.15".to_owned(),
            database: "10.11.6-MariaDB".to_owned(),
        };
        let settings = Settings {
            load_s: 4,
            repetitions: 5,
            backlog: 1000,
        };
        let mut run = Run::new(
            "2026-11-30".to_owned(),
            "abc123".to_owned(),
            machine,
            settings,
        );
        for value in values {
            let mut row = run.figures.row("write-behind", "unique");
            row.add(Measure::more("of E", 2).at_least(0.45), *value);
            row.add(LOST, 0.0);
        }
        run
    }

    #[test]
    fn what_is_written_is_read_again() {
        let run = sample(&[0.5, 0.25]);
        let text = serde_json::to_string(&run).unwrap();
        assert_eq!(Run::parse(&text).unwrap(), run);
    }

    #[test]
    fn a_file_of_another_form_is_refused_in_a_sentence() {
        let written = serde_json::to_string(&sample(&[0.5])).unwrap();
        let newer = written.replace("\"form\":2", "\"form\":3");
        let broken = written.replace("\"cores\":2", "\"cores\":\"two\"");
        for (text, says) in [
            (r#"{"writes":[],"singles":[]}"#, "is of a form before 2"),
            (newer.as_str(), "has form 3, and this reads form 2"),
            (broken.as_str(), "says that its form is 2, but invalid type"),
            (r#"{"tool":"hyperfine"}"#, "has not been written by"),
            ("[1, 2]", "has not been written by"),
            ("acked/s 12", "has not been written by"),
        ] {
            let refusal = Run::parse(text).unwrap_err();
            assert!(refusal.contains(says), "{text}: {refusal}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Run::read(Path::new("/no/such/run.json")).unwrap_err();
        assert!(
            error.to_string().starts_with("/no/such/run.json: "),
            "{error}"
        );
    }
}
