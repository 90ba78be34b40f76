//! The numbered users that loads of an exact size write.

use std::fmt::Write as _;

use crate::plan::Plan;

/// Users of one run. The same number has the same name in every round, and another value.
#[derive(Debug)]
pub(crate) struct UserBody {
    prefix: String,
    name_bytes: usize,
    occupation: String,
}

impl UserBody {
    /// `kind` tells the names of one load from those of another.
    pub(crate) fn new(plan: &Plan, kind: &str, round: u32) -> UserBody {
        UserBody {
            prefix: format!("{kind}-{}-", plan.run),
            name_bytes: 0,
            occupation: format!("Engineer {round}"),
        }
    }

    /// The same with names of exactly so many bytes.
    pub(crate) fn with_names_of(self, name_bytes: usize) -> UserBody {
        UserBody { name_bytes, ..self }
    }

    /// What every user of this round does.
    pub(crate) fn occupation(&self) -> &str {
        &self.occupation
    }

    /// Appends the JSON of a user.
    pub(crate) fn append(&self, number: u64, bytes: &mut Vec<u8>) {
        let digits = self.name_bytes.saturating_sub(self.prefix.len());
        let mut json = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            json,
            r#"{{"name":"{}{number:0digits$}","age":{},"occupation":"{}"}}"#,
            self.prefix,
            number % 100,
            self.occupation
        );
        bytes.extend_from_slice(json.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn names_are_as_long_as_asked_for_and_all_different() {
        let body = UserBody {
            prefix: "memory-1f-".to_owned(),
            name_bytes: 72,
            occupation: "Engineer 1".to_owned(),
        };
        let user = |number| {
            let mut bytes = Vec::new();
            body.append(number, &mut bytes);
            serde_json::from_slice::<Value>(&bytes).unwrap()
        };
        for number in [0, 7, 99_999] {
            assert_eq!(user(number)["name"].as_str().unwrap().len(), 72);
        }
        assert_ne!(user(7)["name"], user(70)["name"]);
        assert_eq!(
            (user(107)["age"].as_u64(), user(1)["occupation"].as_str()),
            (Some(7), Some("Engineer 1"))
        );
    }
}
