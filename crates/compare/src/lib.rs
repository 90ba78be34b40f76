//! Drives the same workload against `write-through-svc` and `write-behind-svc`,
//! watches both and what they run on, checks that nothing acknowledged was lost,
//! and reports what each pattern won and what that cost.

pub mod error;
pub mod fault;
pub mod final_state;
pub mod ledger;
pub mod observe;
pub mod pattern;
pub mod report;
pub mod request;
pub mod server_url;
pub mod servers;
pub mod service_client;
pub mod site;
pub mod sqlite;
pub mod workload;
