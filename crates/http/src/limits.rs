//! Limits on what clients may ask, which are off unless the settings give them.

mod rate;
mod requests;

pub(crate) use rate::{Rate, Sender};
pub(crate) use requests::{Place, Requests};
