//! Judging writes upon the rows that they would replace, while those are locked.

use std::collections::HashMap;

use crate::model::decision::Decision;
use crate::model::record::{Key, Record, Write};
use crate::model::version::Version;

/// A write whose place among the others of its key is found in the database.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What to write, and on which condition.
    pub write: Write,
    /// Its version, where a cache has issued one; else it is given one that is
    /// newer than the row's.
    pub version: Option<Version>,
    /// What a cache holds of the key that the database may not have yet.
    pub beside: Option<Record>,
}

/// Judges `proposals` one after the other, each upon what those before it left
/// of `rows`; what is to be written then. `now` is the time as a version.
pub fn judge(
    proposals: &[Proposal],
    rows: Vec<Record>,
    now: Version,
) -> (Vec<Decision>, Vec<Record>) {
    let mut current: HashMap<Key, Record> =
        rows.into_iter().map(|row| (row.key.clone(), row)).collect();
    let mut written: HashMap<Key, Record> = HashMap::new();
    let decisions = proposals.iter().map(|proposal| {
        let key = &proposal.write.key;
        let held = current
            .entry(key.clone())
            .or_insert_with(|| Record::absent(key.clone()));
        if let Some(beside) = &proposal.beside
            && beside.version > held.version
        {
            *held = beside.clone();
        }
        if !proposal.write.condition.holds(held) {
            return Decision::ConditionFailed;
        }
        let version = match proposal.version {
            Some(version) if version > held.version => version,
            Some(_) => return Decision::Retry,
            None => match held.version.next() {
                Some(next) => next.max(now),
                None => return Decision::Retry,
            },
        };
        let record = proposal.write.at(version);
        *held = record.clone();
        written.insert(key.clone(), record);
        Decision::Written(version)
    });
    let decisions = decisions.collect();
    let mut written: Vec<Record> = written.into_values().collect();
    written.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    (decisions, written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Condition;
    use bytes::Bytes;

    fn version(number: u64) -> Version {
        Version::new(number).unwrap()
    }

    fn row(key: &str, at: u64, body: Option<&str>) -> Record {
        Record {
            key: Key::from(key),
            version: version(at),
            body: body.map(|body| Bytes::from(body.to_owned())),
        }
    }

    fn put(key: &str, condition: Condition, at: Option<u64>) -> Proposal {
        let mut write = Write::put(Key::from(key), Bytes::from("new"));
        write.condition = condition;
        Proposal {
            write,
            version: at.map(version),
            beside: None,
        }
    }

    fn decisions(proposals: &[Proposal], rows: Vec<Record>) -> Vec<Decision> {
        judge(proposals, rows, version(50)).0
    }

    #[test]
    fn a_version_is_issued_above_the_row_and_the_clock() {
        let proposals = [
            put("a", Condition::Always, None),
            put("b", Condition::Always, None),
            put("b", Condition::Always, None),
        ];
        let (decisions, written) = judge(&proposals, vec![row("b", 80, Some("old"))], version(50));
        let issued = [50, 81, 82].map(|at| Decision::Written(version(at)));
        assert_eq!(decisions, issued);
        let written: Vec<_> = written.iter().map(|row| row.version.get()).collect();
        assert_eq!(written, [50, 82]);
    }

    #[test]
    fn each_is_judged_upon_what_the_one_before_it_left() {
        let mut delete = put("a", Condition::Exists, None);
        delete.write.body = None;
        let proposals = [
            put("a", Condition::Exists, None),
            put("a", Condition::Always, None),
            delete.clone(),
            delete,
        ];
        let failed = Decision::ConditionFailed;
        let expected = [
            failed,
            Decision::Written(version(50)),
            Decision::Written(version(51)),
            failed,
        ];
        assert_eq!(decisions(&proposals, vec![row("a", 9, None)]), expected);
    }

    #[test]
    fn a_given_version_that_is_not_newer_than_the_row_needs_another() {
        for condition in [Condition::Always, Condition::Exists] {
            let proposals = [put("a", condition, Some(70))];
            let (decisions, written) =
                judge(&proposals, vec![row("a", 80, Some("old"))], version(50));
            assert_eq!((decisions, written), (vec![Decision::Retry], vec![]));
        }
    }

    #[test]
    fn what_only_the_cache_has_counts_where_it_is_newer() {
        let mut proposal = put("a", Condition::Exists, Some(70));
        proposal.beside = Some(row("a", 60, None));
        let rows = |at| vec![row("a", at, Some("old"))];
        assert_eq!(
            decisions(std::slice::from_ref(&proposal), rows(59)),
            [Decision::ConditionFailed]
        );
        assert_eq!(
            decisions(&[proposal], rows(61)),
            [Decision::Written(version(70))]
        );
    }
}
