//! The procedure by which the tables become what a service needs.

use super::adopt::adopt_classic;
use super::classic::{Classic, is_ours};
use super::compare::{Scope, differences};
use super::expected::Expected;
use super::pieces::There;
use super::{Adoption, Tables, USERS, refusal};
use crate::error::Result;

/// Brings the tables up to date, adopting a classic one. Returns what was done, or with
/// a dry run what would be, in sentences. The caller holds the migration lock.
///
/// Killed anywhere, the next call continues: each step looks at what is there.
///
/// # Errors
/// [`crate::error::Error::BadSetting`] when the tables are not what they have to be and
/// not what can be brought to it. Nothing was changed then, unless the sentence says so.
pub(in crate::store) async fn prepare(
    tables: &mut dyn Tables,
    adoption: Adoption,
) -> Result<Vec<String>> {
    let expected = tables.expected();
    let mut done = Vec::new();
    // IMPORTANT: everything that can be refused is, before the first change.
    let mut there = There::read(tables).await?;
    let classic = classic(tables, &there).await?;
    refuse_changed(expected, &there)?;
    there.refuse_losses(expected)?;
    if let Some(classic) = classic {
        done.extend(adopt_classic(tables, &classic, adoption).await?);
        if adoption.is_dry_run() {
            return Ok(done);
        }
        there = There::read(tables).await?;
    }
    let migrations = tables.migrations();
    let is_pending = |migration: &&String| !there.recorded.contains(*migration);
    let corrections = there.corrections(expected);
    let pending = migrations.iter().filter(is_pending).count();
    if adoption.is_dry_run() {
        done.push(match (pending, corrections.is_empty()) {
            (0, true) => "the tables are up to date".to_owned(),
            _ => format!("{pending} migrations would be run"),
        });
        return Ok(done);
    }
    corrections.make(tables).await?;
    if pending > 0 || !corrections.is_empty() {
        let applied = tables.run_pending().await?;
        done.push(format!("{applied} migrations were run"));
        there = There::read(tables).await?;
    }
    verify(expected, &there)?;
    Ok(done)
}

/// The classic table, if `users` is one. One that is neither that nor ours is refused.
async fn classic(tables: &mut dyn Tables, there: &There) -> Result<Option<Classic>> {
    let Some(users) = there.table(USERS).filter(|users| !is_ours(users)) else {
        return Ok(None);
    };
    let classic = Classic::of(users, tables.expected());
    let classic = classic.map_err(|differences| refusal::another_programs(&differences))?;
    match tables.dependents().await? {
        none if none.is_empty() => Ok(Some(classic)),
        dependents => Err(refusal::another_programs(&dependents)),
    }
}

/// Refuses tables that differ in what the migration that makes them has made.
fn refuse_changed(expected: &Expected, there: &There) -> Result<()> {
    let differences = all_differences(expected, there, Scope::First);
    match differences.is_empty() {
        true => Ok(()),
        false => Err(refusal::changed(&differences)),
    }
}

/// Refuses to go on with anything but what the migrations make.
fn verify(expected: &Expected, there: &There) -> Result<()> {
    let missing = expected.tables.iter();
    let missing = missing.filter(|table| there.table(table.name).is_none());
    let mut differences: Vec<String> = missing
        .map(|table| format!("there is no table {}", table.name))
        .collect();
    differences.extend(all_differences(expected, there, Scope::All));
    match differences.is_empty() {
        true => Ok(()),
        false => Err(refusal::incomplete(&differences)),
    }
}

fn all_differences(expected: &Expected, there: &There, scope: Scope) -> Vec<String> {
    let pairs = expected.tables.iter().filter_map(|table| {
        let found = there.table(table.name)?;
        // The classic table is another matter.
        (scope == Scope::All || table.name != USERS || is_ours(found)).then_some((found, table))
    });
    pairs
        .flat_map(|(found, table)| differences(found, table, scope))
        .collect()
}
