//! Subcommands of the services.

pub mod identity;
pub mod inspect;
pub mod release;
