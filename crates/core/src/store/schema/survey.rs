//! Which rows of a classic table can stay: those that keep the rules, and of those
//! with one name, byte for byte, the one with the largest id.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};

use super::progress::Progress;
use super::{Adoption, Tables};
use crate::error::Result;
use crate::model::user::{check_age, check_name, check_occupation};

/// Rows read at a time.
const BATCH_ROWS: u32 = 2_000;
/// How many ids are shown of each kind.
const IDS_SHOWN: usize = 5;

pub(super) const OLDER: &str = "an older row of the same name";

/// A row of a classic table. What is not of its column's type, as SQLite allows, is
/// `None`.
#[derive(Clone, Debug)]
pub(in crate::store) struct ClassicRow {
    pub(in crate::store) id: i64,
    pub(in crate::store) name: Option<Vec<u8>>,
    pub(in crate::store) age: Option<i64>,
    pub(in crate::store) occupation: Option<Vec<u8>>,
}

/// What was found about all rows.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) rows: u64,
    /// The ids of the rows that cannot stay, by reason.
    pub(super) cannot_stay: BTreeMap<String, Vec<i64>>,
}

/// The rows looked at so far. A name takes about 50 bytes of memory.
#[derive(Debug, Default)]
pub(super) struct Surveyor {
    survey: Survey,
    newest: HashMap<u128, i64>,
    hashes: [RandomState; 2],
}

impl Survey {
    /// Reads all rows.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub(super) async fn of(
        tables: &mut dyn Tables,
        rows: u64,
        progress: &Progress,
    ) -> Result<Survey> {
        let mut surveyor = Surveyor::default();
        let mut after = None;
        loop {
            let batch = tables.rows_after(after, BATCH_ROWS).await?;
            let Some(last) = batch.last() else {
                return Ok(surveyor.survey);
            };
            after = Some(last.id);
            for row in &batch {
                surveyor.look_at(row);
            }
            progress.rows("looked at", surveyor.survey.rows, rows);
        }
    }

    pub(super) fn cannot_stay(&self) -> usize {
        self.cannot_stay.values().map(Vec::len).sum()
    }

    /// The counts and some ids.
    pub(super) fn in_words(&self) -> String {
        let kinds = self.cannot_stay.iter().map(|(reason, ids)| {
            let shown: Vec<String> = ids.iter().take(IDS_SHOWN).map(i64::to_string).collect();
            let more = if ids.len() > IDS_SHOWN { ", …" } else { "" };
            format!("{}: {reason} (id {}{more})", ids.len(), shown.join(", "))
        });
        let kinds: Vec<String> = kinds.collect();
        format!(
            "{} of {} rows cannot stay: {}",
            self.cannot_stay(),
            self.rows,
            kinds.join("; ")
        )
    }
}

impl Surveyor {
    /// Rows come in the order of their ids.
    pub(super) fn look_at(&mut self, row: &ClassicRow) {
        self.survey.rows += 1;
        match name_to_keep(row) {
            Ok(name) => {
                let hash = self.hash(name);
                if let Some(older) = self.newest.insert(hash, row.id) {
                    self.set_aside(OLDER.to_owned(), older);
                }
            }
            Err(reason) => self.set_aside(reason, row.id),
        }
    }

    fn set_aside(&mut self, reason: String, id: i64) {
        self.survey.cannot_stay.entry(reason).or_default().push(id);
    }

    /// 128 bits: that two names out of 2^40 share them is less likely than 2^-48.
    fn hash(&self, name: &[u8]) -> u128 {
        let [high, low] = &self.hashes;
        u128::from(high.hash_one(name)) << 64 | u128::from(low.hash_one(name))
    }

    #[cfg(test)]
    pub(super) fn into_survey(self) -> Survey {
        self.survey
    }
}

/// The row's name, or why the row breaks the rules.
fn name_to_keep(row: &ClassicRow) -> std::result::Result<&[u8], String> {
    if row.id < 1 {
        return Err("id must be 1 or more".to_owned());
    }
    let name = text(row.name.as_deref(), "name")?;
    check_name(name).map_err(|reason| format!("name {reason}"))?;
    let occupation = text(row.occupation.as_deref(), "occupation")?;
    check_occupation(occupation).map_err(|reason| format!("occupation {reason}"))?;
    let age = row.age.map(i128::from).unwrap_or(i128::MIN);
    check_age(age).map_err(|reason| format!("age {reason}"))?;
    Ok(name.as_bytes())
}

fn text<'r>(bytes: Option<&'r [u8]>, column: &str) -> std::result::Result<&'r str, String> {
    let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
    text.ok_or_else(|| format!("{column} must be text"))
}

/// Whether a table of so many rows is too large to be adopted by `adoption`.
pub(super) fn is_too_large(rows: u64, adoption: Adoption) -> bool {
    adoption.rows_max.is_some_and(|max| rows > max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, name: &str, age: i64) -> ClassicRow {
        ClassicRow {
            id,
            name: Some(name.into()),
            age: Some(age),
            occupation: Some("x".into()),
        }
    }

    fn survey(rows: &[ClassicRow]) -> Survey {
        let mut surveyor = Surveyor::default();
        for row in rows {
            surveyor.look_at(row);
        }
        surveyor.into_survey()
    }

    #[test]
    fn the_newest_row_of_a_name_that_keeps_the_rules_stays() {
        let rows = [
            row(1, "a", 1),
            row(2, "b", 1),
            row(3, "a", 2),
            row(4, "a", 200),
        ];
        let found = survey(&rows);
        assert_eq!(found.rows, 4);
        assert_eq!(found.cannot_stay[OLDER], [1]);
        assert_eq!(found.cannot_stay(), 2);
        let said = found.in_words();
        assert!(said.starts_with("2 of 4 rows cannot stay: "), "{said}");
        assert!(
            said.contains("1: age must be a whole number from 0 to 150 (id 4)"),
            "{said}"
        );
    }

    #[test]
    fn names_are_one_only_byte_for_byte() {
        let names = ["a", "A", "ä", "a\u{308}", "ß", "ss"];
        let rows: Vec<_> = (1..)
            .zip(names)
            .map(|(id, name)| row(id, name, 1))
            .collect();
        assert_eq!(survey(&rows).cannot_stay(), 0);
    }

    #[test]
    fn what_is_no_text_or_number_cannot_stay() {
        let broken = [
            ClassicRow {
                name: None,
                ..row(1, "a", 1)
            },
            ClassicRow {
                name: Some(vec![0xff]),
                ..row(2, "b", 1)
            },
            ClassicRow {
                age: None,
                ..row(3, "c", 1)
            },
            ClassicRow {
                occupation: None,
                ..row(4, "d", 1)
            },
            row(0, "e", 1),
            row(-1, "f", 1),
        ];
        assert_eq!(survey(&broken).cannot_stay(), broken.len());
    }

    #[test]
    fn only_some_ids_are_shown() {
        let rows: Vec<_> = (1..=20).map(|id| row(id, "", 1)).collect();
        let said = survey(&rows).in_words();
        assert!(said.ends_with("(id 1, 2, 3, 4, 5, …)"), "{said}");
    }
}
