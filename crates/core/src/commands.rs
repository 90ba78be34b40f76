//! Subcommands of the services.

pub mod export;
pub mod identity;
pub mod inspect;
pub mod release;
