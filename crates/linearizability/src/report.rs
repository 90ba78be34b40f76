//! Describes what is wrong with a history.

use std::fmt;

use super::operation::{Action, Condition, Nanos, Operation, Outcome};

/// Operations that contradict each other, in the order of their invocations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offence {
    /// What is wrong with them.
    pub what: String,
    /// All that it takes to see it.
    pub operations: Vec<Operation>,
}

impl Offence {
    pub(super) fn of(
        what: &str,
        all: &[Operation],
        places: impl IntoIterator<Item = usize>,
    ) -> Self {
        let mut operations: Vec<Operation> = places.into_iter().map(|place| all[place]).collect();
        operations.sort_by_key(|operation| (operation.invoked, operation.completed));
        Offence {
            what: what.to_owned(),
            operations,
        }
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        for operation in &self.operations {
            write!(f, "\n    {operation}")?;
        }
        Ok(())
    }
}

/// What is wrong with the history of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// No register can have answered so.
    NotLinearizable(Offence),
    /// An entity tag is not what it says.
    Version(Offence),
    /// The search was given up: the history may be right or wrong.
    Undecided,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::NotLinearizable(offence) => write!(f, "not linearizable: {offence}"),
            Finding::Version(offence) => write!(f, "a wrong version: {offence}"),
            Finding::Undecided => write!(f, "undecided: the search's budget was spent"),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |instant: Nanos| format!("{}.{:06}", instant / 1_000_000, instant % 1_000_000);
        let until = match self.outcome {
            Outcome::Unknown => "?".to_owned(),
            _ => ms(self.completed),
        };
        write!(
            f,
            "{} … {until} ms, client {}: ",
            ms(self.invoked),
            self.client
        )?;
        match self.action {
            Action::Read => write!(f, "read")?,
            Action::Put(value, condition) => write!(f, "put {value}{condition}")?,
            Action::Delete(condition) => write!(f, "delete{condition}")?,
        }
        match self.outcome {
            Outcome::Saw(None) => write!(f, " → nothing there")?,
            Outcome::Saw(Some(seen)) => write!(f, " → saw {}", seen.value)?,
            Outcome::Done(_) => write!(f, " → done")?,
            Outcome::NotMet => write!(f, " → condition not met")?,
            Outcome::Failed => write!(f, " → failed")?,
            Outcome::Unknown => write!(f, " → outcome unknown")?,
        }
        match self.version() {
            Some(version) => write!(f, " at version {version}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Always => Ok(()),
            Condition::IfMatch(version) => write!(f, " if it matches version {version}"),
            Condition::IfNoneMatch => write!(f, " if there is none"),
        }
    }
}
