//! The subcommands `import` and `export`: files of users, by the rules of a batch.

mod answer;
mod csv;
mod export;
mod format;
mod import;
mod part;
mod progress;
mod refused;
mod row;
mod rows;
mod target;

pub(crate) use export::export;
pub(crate) use import::{ImportOutcome, import};
pub(crate) use target::Target;
