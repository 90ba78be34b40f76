//! A list of names.

use cache_core::model::user::name_faults;
use serde_json::value::RawValue;

use super::fields::{TEXT, found, half_a_pair, json};
use crate::problem::{FieldErrors, Kind, Problem};

/// Most names of one list.
/// Most names that are read at once.
pub(crate) const NAMES_MAX: usize = 1000;

/// The names in `body`, a JSON array.
///
/// # Errors
/// `400` when it is not JSON, `422` with every name that is wrong.
pub fn parse_names(body: &[u8]) -> Result<Vec<String>, Problem> {
    let (text, whole) = json(body)?;
    let invalid = |detail: String| Problem::new(Kind::Validation, detail);
    if !whole.starts_with('[') {
        let detail = format!(
            "the body must be a JSON array of names, not {}",
            found(whole)
        );
        return Err(invalid(detail));
    }
    let names: Vec<&RawValue> =
        serde_json::from_str(whole).map_err(|error| half_a_pair(text, whole, &error))?;
    if names.len() > NAMES_MAX {
        let detail = format!(
            "the body has {} names; at most {NAMES_MAX} may be asked for",
            names.len()
        );
        return Err(invalid(detail));
    }
    let mut errors = FieldErrors::default();
    let mut checked = Vec::with_capacity(names.len());
    for (place, name) in names.into_iter().map(RawValue::get).enumerate() {
        if !name.starts_with('"') {
            errors.add(
                &format!("[{place}]"),
                format!("{TEXT}, not {}", found(name)),
            );
            continue;
        }
        let name: String =
            serde_json::from_str(name).map_err(|error| half_a_pair(text, name, &error))?;
        for fault in name_faults(&name) {
            errors.add(&format!("[{place}]"), fault);
        }
        checked.push(name);
    }
    errors.finish(Some(checked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_texts_in_an_array() {
        assert_eq!(parse_names(b"[]").unwrap(), Vec::<String>::new());
        assert_eq!(
            parse_names(br#" ["a", "\u00e9"]"#).unwrap(),
            ["a", "\u{e9}"]
        );
        let many = |count| serde_json::to_vec(&vec!["a"; count]).unwrap();
        assert_eq!(parse_names(&many(NAMES_MAX)).unwrap().len(), NAMES_MAX);
        assert!(parse_names(&many(NAMES_MAX + 1)).is_err());
        for wrong in [
            "",
            "{}",
            "\"a\"",
            "[1]",
            "[\"\"]",
            "[\" a\"]",
            "[null]",
            "[\"a\"",
            r#"["\ud800"]"#,
        ] {
            assert!(parse_names(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let refused = parse_names(br#"["a", 1, "", "b"]"#).unwrap_err();
        assert!(
            refused.detail().contains("[1], [2]"),
            "{}",
            refused.detail()
        );
    }
}
