//! Drives the same workload against `write-through-svc` and `write-behind-svc`,
//! watches both and what they run on, checks that nothing acknowledged was lost,
//! and reports what each pattern won and what that cost.

pub mod arguments;
pub mod ceiling;
pub mod drive;
pub mod error;
pub mod fault;
pub mod final_state;
pub mod kept;
pub mod ledger;
pub mod live;
pub mod machine;
mod measure;
pub mod no_op;
pub mod observe;
pub mod open_files;
pub mod output;
pub mod pattern;
pub mod progress;
pub mod report;
pub mod request;
pub mod run;
pub mod say;
pub mod server_url;
pub mod servers;
pub mod service_client;
mod service_url;
pub mod site;
pub mod sqlite;
mod started;
pub mod stop;
pub mod warnings;
pub mod workload;
