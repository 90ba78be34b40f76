//! Drives the same workloads against `write-through-svc` and `write-behind-svc`, watches both and
//! what they run on, checks that nothing acknowledged was lost, and says which pattern to take.

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
pub mod observe;
pub mod output;
pub mod own_service;
pub mod pattern;
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
pub mod workload;
