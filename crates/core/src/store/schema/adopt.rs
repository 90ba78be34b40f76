//! Adopting the classic table.
//!
//! Rows that cannot stay are set aside first, a batch a transaction, each moved as a
//! whole or not at all; then one step makes the table ours. A process that dies in
//! between leaves a classic table with fewer rows that cannot stay.

use super::classic::Classic;
use super::progress::Progress;
use super::survey::{Survey, is_too_large};
use super::{Adoption, SET_ASIDE, Tables, USERS, refusal};
use crate::error::Result;
use crate::process::fault_point;

/// Rows set aside in one transaction.
const BATCH_ROWS: usize = 1_000;

/// Adopts the table, or says what would be done.
///
/// # Errors
/// [`crate::error::Error::BadSetting`] when its rows cannot stay and nothing was asked
/// for that moves them; nothing was changed then.
pub(super) async fn adopt_classic(
    tables: &mut dyn Tables,
    classic: &Classic,
    adoption: Adoption,
) -> Result<Vec<String>> {
    let progress = Progress::of_adoption(adoption.rows_max.is_none());
    let rows = tables.count().await?;
    if is_too_large(rows, adoption) {
        return Err(refusal::too_large());
    }
    let survey = Survey::of(tables, rows, &progress).await?;
    let moved = survey.cannot_stay();
    if moved > 0 && !adoption.keep_newest {
        return Err(refusal::rows_cannot_stay(&survey));
    }
    if moved > 0 {
        refuse_foreign_set_aside(tables, classic).await?;
    }
    let mut said = Vec::new();
    let changes = classic.changes(tables.expected());
    let kept = survey.rows - moved as u64;
    if adoption.dry_run {
        if moved > 0 {
            said.push(format!(
                "{}. They would be moved to the table {SET_ASIDE}",
                survey.in_words()
            ));
        }
        said.push(format!(
            "the table {USERS} would be adopted with {kept} rows, which keep their ids: {changes}"
        ));
        return Ok(said);
    }
    if moved > 0 {
        set_aside(tables, classic, &survey, &progress).await?;
        said.push(format!(
            "{}. They were moved to the table {SET_ASIDE}",
            survey.in_words()
        ));
    }
    fault_point::point("adopt.set_aside").await;
    tables.adopt(classic, &progress).await?;
    fault_point::point("adopt.adopted").await;
    said.push(format!(
        "the table {USERS} of another program was adopted with {kept} rows, which kept their ids: \
         {changes}"
    ));
    // Also where the log shows only warnings: the other program has to be told.
    for sentence in &said {
        tracing::warn!("{sentence}");
    }
    Ok(said)
}

async fn set_aside(
    tables: &mut dyn Tables,
    classic: &Classic,
    survey: &Survey,
    progress: &Progress,
) -> Result<()> {
    tables.create_set_aside(&classic.table).await?;
    let all = survey.cannot_stay() as u64;
    let mut done = 0;
    for (reason, ids) in &survey.cannot_stay {
        for ids in ids.chunks(BATCH_ROWS) {
            tables.set_aside(&classic.table, ids, reason).await?;
            fault_point::point("adopt.batch_set_aside").await;
            done += ids.len() as u64;
            progress.rows("set aside", done, all);
        }
    }
    Ok(())
}

/// A table of that name may be there, from a process that died or an adoption before;
/// but not with other columns, nor with rows of the same ids.
async fn refuse_foreign_set_aside(tables: &mut dyn Tables, classic: &Classic) -> Result<()> {
    let found = tables.found(&[SET_ASIDE]).await?;
    let Some(there) = found.first() else {
        return Ok(());
    };
    if let Some(oddity) = &there.oddity {
        return Err(refusal::set_aside_is_taken(&format!("is {oddity}")));
    }
    let names = classic
        .table
        .columns
        .iter()
        .map(|column| column.name.as_str());
    for name in names.chain(["reason"]) {
        if there.column(name).is_none() {
            let why = format!("is another one's: it has no column {name}");
            return Err(refusal::set_aside_is_taken(&why));
        }
    }
    match tables.set_aside_already().await? {
        0 => Ok(()),
        rows => {
            let why = format!("has {rows} rows already whose ids are in {USERS} too");
            Err(refusal::set_aside_is_taken(&why))
        }
    }
}
