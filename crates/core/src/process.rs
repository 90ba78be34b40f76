//! The process: its start and stop, and the files that it holds.

pub mod fault_point;
pub mod file_watch;
pub(crate) mod held_path;
pub(crate) mod locked_file;
pub mod shutdown;
pub mod startup;
